"""What never changes of a version as parts of messages, kept encoded: its files, and its facts if they are many.

Ten thousand of either take a third of a second to read and to encode, and many callers ask for the same version at
once. What was encoded once is sent to all of them.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from modelyard import wire
from modelyard.core.manifest import File
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.calls.offload import FEW, offload
from modelyard_server.registry.versions.messages import version_message
from modelyard_server.registry.versions.recorded import NO_FACTS
from modelyard_server.registry.versions.values import Version

_KEPT_BYTES: Final = 64 << 20
Files = tuple[File, ...]


class EncodedVersions:
    """The encoded parts of the versions that were asked for last."""

    def __init__(self, load: Callable[[Version], Awaitable[Files]], room: int = _KEPT_BYTES) -> None:
        """``load`` reads the files of a version. ``room`` is the most bytes to keep."""
        self._load = load
        self._room = room
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._loading: dict[str, asyncio.Task[bytes]] = {}

    async def message(self, version: Version, *, files: bool) -> tuple[pb.Version, bytes]:
        """The message of a version, and encoded fields of it that belong to it too. With ``files`` it has its files."""
        rest = b""
        if version.recorded.entries > FEW:
            rest += await self._part(f"{version.uid}/facts", lambda: _facts(version))
            version = replace(version, recorded=NO_FACTS)
        if files and version.files is None:
            rest += await self._part(f"{version.uid}/files", lambda: self._files(version))
        return version_message(version), rest

    async def _part(self, name: str, make: Callable[[], Awaitable[bytes]]) -> bytes:
        if (kept := self._kept.get(name)) is not None:
            self._kept.move_to_end(name)
            return kept
        if (task := self._loading.get(name)) is None:
            task = self._loading[name] = asyncio.create_task(self._make(name, make))
            task.add_done_callback(lambda _: self._loading.pop(name, None))
        # The others go on waiting if the first caller gives up.
        return await asyncio.shield(task)

    async def _make(self, name: str, make: Callable[[], Awaitable[bytes]]) -> bytes:
        encoded = await make()
        self._kept[name] = encoded
        self._room -= len(encoded)
        while self._room < 0:
            _, dropped = self._kept.popitem(last=False)
            self._room += len(dropped)
        return encoded

    async def _files(self, version: Version) -> bytes:
        files = await self._load(version)
        return await offload(len(files), _encode_files, files)


async def _facts(version: Version) -> bytes:
    return await offload(version.recorded.entries, _encode_facts, version)


def _encode_facts(version: Version) -> bytes:
    message = pb.Version()
    wire.facts_into_proto(version.facts, message)
    return message.SerializeToString()


def _encode_files(files: Files) -> bytes:
    return pb.Version(files=wire.files_to_proto(files)).SerializeToString()

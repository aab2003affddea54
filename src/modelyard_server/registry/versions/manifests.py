"""The files of versions as parts of messages, kept encoded.

Ten thousand files take a third of a second to read and to encode, and many callers ask for the same version at once.
Files never change, so what was encoded once is sent to all of them.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

from modelyard import wire
from modelyard.core.manifest import File
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.calls.offload import offload
from modelyard_server.registry.versions.messages import rendered
from modelyard_server.registry.versions.values import Version

_KEPT_BYTES: Final = 64 << 20
Files = tuple[File, ...]


class Manifests:
    """The encoded files of the versions that were asked for last."""

    def __init__(self, load: Callable[[Version], Awaitable[Files]], room: int = _KEPT_BYTES) -> None:
        """``load`` reads the files of a version. ``room`` is the most bytes to keep."""
        self._load = load
        self._room = room
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._loading: dict[str, asyncio.Task[bytes]] = {}

    async def full(self, version: Version) -> pb.Version:
        """The message of a version with its files, which ``version`` need not have."""
        message = await rendered(version)
        if version.files is None:
            encoded = await self._encoded(version)
            # Fields that are parsed into a message are added to those that it has.
            await offload(version.file_count, message.MergeFromString, encoded)
        return message

    async def _encoded(self, version: Version) -> bytes:
        if (kept := self._kept.get(version.uid)) is not None:
            self._kept.move_to_end(version.uid)
            return kept
        if (task := self._loading.get(version.uid)) is None:
            task = self._loading[version.uid] = asyncio.create_task(self._read(version))
            task.add_done_callback(lambda _: self._loading.pop(version.uid, None))
        # The others go on waiting if the first caller gives up.
        return await asyncio.shield(task)

    async def _read(self, version: Version) -> bytes:
        files = await self._load(version)
        encoded = await offload(len(files), _encode, files)
        self._kept[version.uid] = encoded
        self._room -= len(encoded)
        while self._room < 0:
            _, dropped = self._kept.popitem(last=False)
            self._room += len(dropped)
        return encoded


def _encode(files: Files) -> bytes:
    return pb.Version(files=wire.files_to_proto(files)).SerializeToString()

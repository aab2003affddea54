"""Versions to pull, and processes of their own that pull them."""

import asyncio
import json
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tests.sdk.fake_artifacts import FakeArtifacts, file_of

from modelyard._cache import Cache, Hold
from modelyard._connection import Connection
from modelyard._transfer.progress import ProgressCallback
from modelyard.core.manifest import File, manifest_digest
from modelyard.core.names import VersionName
from modelyard.types import Version, VersionState
from modelyard.v1 import resources_pb2
from modelyard.wire import files_to_proto

NAME = VersionName.parse("namespaces/team/models/fraud/versions/7")
MOMENT = datetime(2026, 11, 23, tzinfo=UTC)


def version_of(contents: Mapping[str, bytes], registry: FakeArtifacts | None = None) -> Version:
    """A version with these files; the registry serves them."""
    if registry is not None:
        registry.files.update(contents)
    return version_with(tuple(sorted(file_of(path, data) for path, data in contents.items())))


async def fetch(
    cache: Cache, connection: Connection, version: Version, *, progress: ProgressCallback | None = None
) -> tuple[Path, int]:
    """What :meth:`Cache.fetch` gives a program that uses the version no longer than that."""
    with Hold() as hold:
        return await cache.fetch(connection, version, hold, progress=progress)


def version_with(files: tuple[File, ...], digest: str | None = None) -> Version:
    return Version(
        name=NAME,
        uid="",
        state=VersionState.READY,
        files=files,
        file_count=len(files),
        total_size=sum(file.size for file in files),
        digest=digest or manifest_digest(files),
        description="",
        labels={},
        annotations={},
        aliases=(),
        created_by="",
        create_time=MOMENT,
        update_time=MOMENT,
        delete_time=None,
        purge_time=None,
        deprecation_reason="",
        quarantine_reason="",
        etag="",
    )


def with_digest(version: Version, digest: str) -> Version:
    return replace(version, digest=digest)


def message_of(version: Version) -> bytes:
    message = resources_pb2.Version(name=str(version.name), manifest_digest=version.digest)
    message.files.extend(files_to_proto(version.files))
    return message.SerializeToString()


def contents_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


_PULLER = """
    import asyncio, json, sys
    from pathlib import Path
    from modelyard._cache import Cache, Hold
    from modelyard.core.manifest import File
    from tests.sdk.cached_versions import version_with
    from tests.sdk.fake_artifacts import connect

    async def main(url, root, files, max_bytes):
        version = version_with(tuple(File(*file) for file in json.loads(files)))
        async with connect(url) as connection:
            with Hold() as hold:
                path, received = await Cache(Path(root), int(max_bytes)).fetch(connection, version, hold)
                print(received, flush=True)
                sys.stdin.read()

    asyncio.run(main(*sys.argv[1:]))
"""


async def start_puller(url: str, root: Path, version: Version, max_bytes: int = 2**40) -> asyncio.subprocess.Process:
    """A process that pulls a version, prints how many bytes it received, and uses it until its input is closed."""
    files = json.dumps([(file.path, file.size, file.digest) for file in version.files])
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", textwrap.dedent(_PULLER), url, str(root), files, str(max_bytes)),
        cwd=Path(__file__).parents[2],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )


async def bytes_received_by(puller: asyncio.subprocess.Process) -> int:
    assert puller.stdout is not None
    return int(await puller.stdout.readline())


async def end(puller: asyncio.subprocess.Process) -> None:
    assert puller.stdin is not None
    puller.stdin.close()
    assert await puller.wait() == 0

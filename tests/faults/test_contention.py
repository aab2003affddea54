"""Many clients who want the same thing at once, and many who walk away in the middle."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest
from tests.support.requests import MODEL, NAMESPACE, blob_of, digest_of, frames, request_id, version_of
from tests.support.roundtrip import assert_holds, assert_works, random_file
from tests.support.scale import SCALE
from tests.support.server import ServerProcess
from tests.support.waiting import until

from modelyard import AsyncClient
from modelyard.v1 import artifacts_pb2, registry_pb2
from modelyard.v1 import resources_pb2 as pb
from modelyard.v1.artifacts_pb2_grpc import ArtifactsServiceStub
from modelyard.v1.registry_pb2_grpc import RegistryServiceStub

MIB = 1 << 20
_PUSHERS = 16
_CANCELLED = 200 * SCALE
_AT_ONCE = 20
_POOL = 4


@pytest.fixture
async def either_server(database_url: str, tmp_path: Path) -> AsyncIterator[ServerProcess]:
    """On each dialect; few connections, so that one that got lost would be missed."""
    flags: list[str] = []
    if database_url != "sqlite":
        flags = ["--database-url", database_url, "--database-pool-size", str(_POOL)]
    process = ServerProcess(tmp_path, *flags).start()
    yield process
    process.close()


def _files(server: ServerProcess, folder: str) -> list[Path]:
    return [path for path in (server.folder / "data" / folder).rglob("*") if path.is_file()]


@pytest.mark.parametrize("size", [100, 6 * MIB], ids=["batch", "stream"])
async def test_the_same_new_file_from_many_clients_is_one_blob(
    either_server: ServerProcess, tmp_path: Path, size: int
) -> None:
    """A21: all succeed, one copy is kept, nothing half is left."""
    server = either_server
    source = random_file(tmp_path / "model.bin", size)

    async def push(n: int) -> int:
        async with AsyncClient(server.url, cache_dir=tmp_path / f"cache-{n}") as client:
            return (await client.push("fraud", source, capture=False)).number

    numbers = await asyncio.gather(*(push(n) for n in range(_PUSHERS)))

    assert sorted(numbers) == list(range(1, _PUSHERS + 1))
    assert [path.stat().st_size for path in _files(server, "blobs")] == [size]
    assert _files(server, "staging") == []
    for number in (1, _PUSHERS):
        await assert_holds(server.url, f"fraud@{number}", source)
    await assert_works(server.url)


class _Fickle:
    """Makes calls of all kinds and cancels each at a random moment; then finds out what became of them."""

    def __init__(self, channel: grpc.aio.Channel, seed: int) -> None:
        self._registry = RegistryServiceStub(channel)
        self._artifacts = ArtifactsServiceStub(channel)
        self._random = random.Random(seed)
        self.cancelled: Counter[str] = Counter()
        self.versions: list[registry_pb2.CreateVersionRequest] = []
        self.uploads: list[tuple[str, bytes]] = []

    async def prepare(self) -> None:
        await self._registry.CreateModel(registry_pb2.CreateModelRequest(parent=NAMESPACE, model_id="fraud"))
        await self._batch()
        await self._registry.CreateVersion(self._new_version())

    async def go(self) -> None:
        kinds: list[Callable[[], Awaitable[Any]]] = [
            self._create_version,
            self._write,
            self._read,
            self._list,
            self._batch,
            self._set_alias,
        ]
        kind = self._random.choice(kinds)
        task = asyncio.ensure_future(kind())
        # The moment is the point: most of them take a few milliseconds, also in line behind others.
        await asyncio.wait((task,), timeout=self._random.expovariate(1 / 0.02))
        if not task.done():
            self.cancelled[kind.__name__] += 1
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    @staticmethod
    def _new_version() -> registry_pb2.CreateVersionRequest:
        return registry_pb2.CreateVersionRequest(
            parent=MODEL, version=version_of({"a": b"a"}), alias_ids=["newest"], request_id=request_id()
        )

    async def _create_version(self) -> None:
        self.versions.append(self._new_version())
        await self._registry.CreateVersion(self.versions[-1])

    async def _write(self) -> None:
        data = self._random.randbytes(3 * MIB)
        request = artifacts_pb2.StartUploadRequest(
            parent=NAMESPACE, size_bytes=len(data), digest=digest_of(data), request_id=request_id()
        )
        upload = await self._artifacts.StartUpload(request)
        self.uploads.append((upload.name, data))
        await self._artifacts.WriteBlob(frames(upload.name, data))

    async def _read(self) -> None:
        request = artifacts_pb2.ReadFileRequest(version=f"{MODEL}/versions/1", path="a")
        async for _ in self._artifacts.ReadFile(request):
            pass

    async def _list(self) -> None:
        await self._registry.ListVersions(registry_pb2.ListVersionsRequest(parent=MODEL))

    async def _batch(self) -> None:
        item = artifacts_pb2.BatchWriteBlobsRequest.Item(blob=blob_of(b"a"), data=b"a")
        await self._artifacts.BatchWriteBlobs(artifacts_pb2.BatchWriteBlobsRequest(parent=NAMESPACE, items=[item]))

    async def _set_alias(self) -> None:
        await self._registry.SetAlias(
            registry_pb2.SetAliasRequest(
                alias=pb.Alias(name=f"{MODEL}/aliases/mine", version=f"{MODEL}/versions/1"), request_id=request_id()
            )
        )

    async def check(self) -> None:
        """Every version exists once after a retry, and every upload can be brought to its end."""
        made = [await self._registry.CreateVersion(request) for request in self.versions]
        listed = await self._registry.ListVersions(registry_pb2.ListVersionsRequest(parent=MODEL, page_size=1000))
        assert len({version.name for version in made}) == len(self.versions)
        assert len(listed.versions) == len(self.versions) + 1
        for name, data in self.uploads:
            found = await self._artifacts.GetUpload(artifacts_pb2.GetUploadRequest(name=name))
            if found.state != artifacts_pb2.Upload.STATE_COMMITTED:
                rest = frames(name, data, offset=found.persisted_size)
                found = await self._artifacts.WriteBlob(rest)
            assert found.state == artifacts_pb2.Upload.STATE_COMMITTED


async def _sessions(url: str) -> dict[str, int]:
    """The states of the connections that the server has to its PostgreSQL."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "SELECT state, count(*) AS count FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() GROUP BY state"
        )
    finally:
        await connection.close()
    return {row["state"]: row["count"] for row in rows}


async def test_calls_cancelled_at_any_moment_leave_nothing_half_done(
    either_server: ServerProcess, database_url: str
) -> None:
    server = either_server
    gate = asyncio.Semaphore(_AT_ONCE)
    async with grpc.aio.insecure_channel(server.address) as channel:
        fickle = _Fickle(channel, seed=7)
        await fickle.prepare()

        async def one() -> None:
            async with gate:
                await fickle.go()

        while fickle.cancelled.total() < _CANCELLED:
            await asyncio.gather(*(one() for _ in range(_AT_ONCE)))
        assert len(fickle.cancelled) == 6, fickle.cancelled
        await fickle.check()

    if database_url != "sqlite":

        async def all_idle() -> bool:
            return set(await _sessions(database_url)) <= {"idle"}

        await until(all_idle)
    await asyncio.gather(*(assert_works(server.url, f"after-{n}") for n in range(_POOL)))
    assert _files(server, "staging") == []
    assert "INTERNAL" not in server.log.read_text()

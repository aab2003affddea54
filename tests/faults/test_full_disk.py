"""Disks that fill up or turn read-only under a running server: it says so, keeps what it has, and needs no restart."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.support.children import PATIENCE
from tests.support.registry import Refusal, refused
from tests.support.requests import NAMESPACE, blob_of
from tests.support.roundtrip import assert_holds, assert_works, random_file
from tests.support.server import ServerProcess
from tests.support.tmpfs import SmallDisk, small_disk
from tests.support.waiting import until

from modelyard import AsyncClient
from modelyard.errors import ModelyardError, NotFoundError, ResourceExhaustedError
from modelyard.v1 import artifacts_pb2, registry_pb2
from modelyard.v1.artifacts_pb2_grpc import ArtifactsServiceStub
from modelyard.v1.registry_pb2_grpc import RegistryServiceStub

MIB = 1 << 20


def _server_with(folder: Path, disk: SmallDisk, *, blobs_on_disk: bool) -> ServerProcess:
    """A server that has its bytes on one disk and its database on another; one of them is ``disk``."""
    data, elsewhere = folder / "data", folder / "elsewhere"
    if blobs_on_disk:
        data.mkdir()
    else:
        data.symlink_to(disk.path)
        elsewhere.mkdir()
    for name in ("blobs", "staging"):
        target = (disk.path if blobs_on_disk else elsewhere) / name
        target.mkdir()
        (data / name).symlink_to(target)
    return ServerProcess(folder).start()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", 48 * MIB) as mounted:
        yield mounted


@pytest.fixture
def blobs_on_disk(tmp_path: Path, disk: SmallDisk) -> Iterator[ServerProcess]:
    server = _server_with(tmp_path, disk, blobs_on_disk=True)
    yield server
    server.close()


@pytest.fixture
def database_on_disk(tmp_path: Path, disk: SmallDisk) -> Iterator[ServerProcess]:
    server = _server_with(tmp_path, disk, blobs_on_disk=False)
    yield server
    server.close()


def _staged(server: ServerProcess) -> list[str]:
    return sorted(path.name for path in (server.folder / "data" / "staging").iterdir())


async def _healthy(server: ServerProcess) -> bool:
    async with grpc.aio.insecure_channel(server.address) as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def _assert_says_nothing_of_the_server(error: ModelyardError | Refusal, server: ServerProcess) -> None:
    for secret in (str(server.folder), "/data", "sqlite", "errno", "INSERT", "Traceback"):
        assert secret.lower() not in error.message.lower()


async def _assert_push_is_refused(server: ServerProcess, source: Path, kind: type[ModelyardError], reason: str) -> None:
    async with AsyncClient(server.url, cache_dir=server.folder / "refused") as client:
        with pytest.raises(kind) as told:
            await client.push("fraud", source, capture=False)
    assert told.value.reason == reason
    assert told.value.retry_after is not None
    _assert_says_nothing_of_the_server(told.value, server)
    assert await _healthy(server)


@pytest.mark.parametrize("size", [100, 8 * MIB], ids=["batch", "stream"])
async def test_a_full_disk_takes_no_bytes_and_goes_on_when_there_is_room(
    blobs_on_disk: ServerProcess, disk: SmallDisk, tmp_path: Path, size: int
) -> None:
    """F04"""
    server = blobs_on_disk
    before = random_file(tmp_path / "before", 2 * MIB)
    source = random_file(tmp_path / "model.bin", size)
    async with AsyncClient(server.url, cache_dir=tmp_path / "cache") as client:
        await client.push("fraud", before, capture=False)
        disk.fill(leave=size // 2 // 4096 * 4096)
        await _assert_push_is_refused(server, source, ResourceExhaustedError, "STORAGE_FULL")
        await assert_holds(server.url, "fraud@1", before)
        with pytest.raises(NotFoundError):
            await client.versions.get("fraud@2")

        disk.clear()
        assert (await client.push("fraud", source, capture=False)).number == 2
    await assert_holds(server.url, "fraud@2", source)
    await assert_works(server.url)
    assert _staged(server) == [], "something that was given up takes space for ever"


async def test_many_uploads_that_fill_the_disk_together_end_alike(
    blobs_on_disk: ServerProcess, disk: SmallDisk, tmp_path: Path
) -> None:
    """F04: who ran out of space is told, and what they had sent does not keep the disk full."""
    server = blobs_on_disk
    sources = [random_file(tmp_path / f"{n}.bin", 20 * MIB) for n in range(4)]

    async def push(n: int) -> str:
        async with AsyncClient(server.url, cache_dir=tmp_path / f"cache-{n}") as client:
            try:
                await client.push(f"model-{n}", sources[n], capture=False)
            except ResourceExhaustedError as error:
                return error.reason
            return "OK"

    outcomes = await asyncio.gather(*(push(n) for n in range(4)))
    assert set(outcomes) <= {"OK", "STORAGE_FULL"}
    assert "STORAGE_FULL" in outcomes
    assert await _healthy(server)
    assert _staged(server) == []
    await assert_works(server.url)
    for n, outcome in enumerate(outcomes):
        if outcome == "OK":
            await assert_holds(server.url, f"model-{n}", sources[n])


async def test_a_full_disk_under_the_database_rolls_back(
    database_on_disk: ServerProcess, disk: SmallDisk, tmp_path: Path
) -> None:
    """F05"""
    server = database_on_disk
    before = random_file(tmp_path / "before", 2 * MIB)
    async with AsyncClient(server.url, cache_dir=tmp_path / "cache") as client:
        await client.push("fraud", before, capture=False)
        disk.fill()
        models: list[str] = []
        told: ResourceExhaustedError | None = None
        while told is None:  # the write-ahead log has some room left in its last pages
            try:
                models.append((await client.models.create(f"m{len(models)}", description="x" * 8192)).name.model)
            except ResourceExhaustedError as error:
                told = error
        assert told.reason == "STORAGE_FULL"
        _assert_says_nothing_of_the_server(told, server)
        await _assert_push_is_refused(
            server, random_file(tmp_path / "new", 100), ResourceExhaustedError, "STORAGE_FULL"
        )
        await assert_holds(server.url, "fraud@1", before)
        assert [model.name.model async for model in client.models.list()] == sorted(["fraud", *models])

        disk.clear()
        await client.models.create(f"m{len(models)}")
    await assert_works(server.url)
    server.stop()
    server.start()
    await assert_holds(server.url, "fraud@1", before)


async def test_a_read_only_disk_is_read_from(blobs_on_disk: ServerProcess, disk: SmallDisk, tmp_path: Path) -> None:
    """F08: writes are unavailable and can be retried, reads go on."""
    server = blobs_on_disk
    before = random_file(tmp_path / "before", 2 * MIB)
    data = b"a small one"
    async with (
        AsyncClient(server.url, cache_dir=tmp_path / "cache") as client,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        await client.push("fraud", before, capture=False)
        artifacts, registry = ArtifactsServiceStub(channel), RegistryServiceStub(channel)
        disk.remount("ro")

        item = artifacts_pb2.BatchWriteBlobsRequest.Item(blob=blob_of(data), data=data)
        batch = await refused(
            artifacts.BatchWriteBlobs(artifacts_pb2.BatchWriteBlobsRequest(parent=NAMESPACE, items=[item]))
        )
        assert (batch.code, batch.reason) == (grpc.StatusCode.UNAVAILABLE, "BACKEND_DOWN")
        assert "RetryInfo" in batch.details
        _assert_says_nothing_of_the_server(batch, server)
        await registry.GetVersion(registry_pb2.GetVersionRequest(name=f"{NAMESPACE}/models/fraud/versions/1"))
        await assert_holds(server.url, "fraud@1", before)

        disk.remount("rw")
    await assert_works(server.url)


async def test_a_push_waits_for_a_disk_that_is_read_only_for_a_moment(
    blobs_on_disk: ServerProcess, disk: SmallDisk, tmp_path: Path
) -> None:
    """F08: nobody need start it again."""
    server = blobs_on_disk
    await assert_works(server.url)
    disk.remount("ro")
    pushing = asyncio.create_task(assert_works(server.url))
    await until(lambda: "BACKEND_DOWN" in server.log.read_text())
    disk.remount("rw")
    await pushing

"""Networks that cut, lose, stop and crawl: transfers go on where they were, and nothing half is ever published."""

import asyncio
from pathlib import Path

import grpc
import psutil
import pytest
from tests.support.proxy import ChaosProxy, chaos_proxy
from tests.support.registry import refused
from tests.support.requests import MODEL, NAMESPACE, blob_of, digest_of, request_id, version_of
from tests.support.roundtrip import assert_holds, assert_works, random_file
from tests.support.scale import SCALE
from tests.support.server import ServerProcess
from tests.support.waiting import until

from modelyard import AsyncClient
from modelyard.v1 import artifacts_pb2, registry_pb2
from modelyard.v1.artifacts_pb2_grpc import ArtifactsServiceStub
from modelyard.v1.registry_pb2_grpc import RegistryServiceStub

MIB = 1 << 20
_CHUNK = 256 << 10
_RESENT = 8 * MIB
"""What a break may cost."""
_OVERHEAD = 1.02
"""Frames, headers and small calls, as a factor."""


@pytest.mark.parametrize("end", ["reset", "cancel"])
async def test_a_stream_that_breaks_publishes_nothing(server: ServerProcess, end: str) -> None:
    """F30: not even if all bytes had arrived; what did arrive need not be sent again."""
    data = bytes(4 * MIB)
    async with chaos_proxy(server.port) as proxy, grpc.aio.insecure_channel(server.address) as direct:
        artifacts, registry = ArtifactsServiceStub(direct), RegistryServiceStub(direct)
        await registry.CreateModel(registry_pb2.CreateModelRequest(parent=NAMESPACE, model_id="fraud"))
        upload = await artifacts.StartUpload(
            artifacts_pb2.StartUploadRequest(
                parent=NAMESPACE, size_bytes=len(data), digest=digest_of(data), request_id=request_id()
            )
        )
        get = artifacts_pb2.GetUploadRequest(name=upload.name)
        async with grpc.aio.insecure_channel(proxy.address) as channel:
            call = ArtifactsServiceStub(channel).WriteBlob()
            for offset in range(0, len(data), _CHUNK):
                await call.write(
                    artifacts_pb2.WriteBlobRequest(
                        upload=upload.name, write_offset=offset, data=data[offset : offset + _CHUNK]
                    )
                )

            async def all_arrived() -> bool:
                return (await artifacts.GetUpload(get)).persisted_size == len(data)

            await until(all_arrived)
            if end == "reset":
                proxy.reset()
                with pytest.raises(grpc.aio.AioRpcError):
                    await call
            else:
                call.cancel()
        missing = await artifacts.FindMissingBlobs(
            artifacts_pb2.FindMissingBlobsRequest(parent=NAMESPACE, blobs=[blob_of(data)])
        )
        assert list(missing.missing_blobs) == [blob_of(data)]
        create = registry_pb2.CreateVersionRequest(parent=MODEL, version=version_of({"a": data}))
        assert (await refused(registry.CreateVersion(create))).reason == "MISSING_BLOBS"
        found = await artifacts.GetUpload(get)
        assert (found.state, found.persisted_size) == (artifacts_pb2.Upload.STATE_OPEN, len(data))
    await assert_works(server.url)


async def _cut_each(proxy: ChaosProxy, way: str, size: int, times: int) -> None:
    """Cuts a connection after each ``size`` bytes that travel one way."""
    for _ in range(times):
        direction = getattr(proxy, way)
        goal = direction.forwarded + size
        direction.cut_after(size)
        await direction.reached(goal)


async def test_transfers_go_on_after_each_cut(server: ServerProcess, tmp_path: Path) -> None:
    """F30: they send and fetch little twice, and what arrives is verified."""
    size, cuts = 32 * MIB, 3
    source = random_file(tmp_path / "model.bin", size)
    async with chaos_proxy(server.port) as proxy, AsyncClient(proxy.url, cache_dir=tmp_path / "cache") as client:
        cutting = asyncio.create_task(_cut_each(proxy, "up", 7 * MIB, cuts))
        await client.push("fraud", source, capture=False)
        await cutting
        assert proxy.up.forwarded < size * _OVERHEAD + cuts * _RESENT

        cutting = asyncio.create_task(_cut_each(proxy, "down", 7 * MIB, cuts))
        before = proxy.down.forwarded
        pulled = await client.pull("fraud@1")
        await cutting
        assert proxy.down.forwarded - before < size * _OVERHEAD + cuts * _RESENT
        assert (pulled.path / "model.bin").read_bytes() == source.read_bytes()
    await assert_works(server.url)
    assert list((server.folder / "data" / "staging").iterdir()) == []


async def test_transfers_complete_over_a_slow_link(server: ServerProcess, tmp_path: Path) -> None:
    """F32: 1 Mbit/s in each direction, for longer than any ping may take; a large file and many small ones."""
    files = tmp_path / "files"
    random_file(files / "model.bin", SCALE * 1_400_000)
    for number in range(4):
        random_file(files / f"small-{number}.bin", 50_000)
    total = sum(path.stat().st_size for path in files.iterdir())
    async with AsyncClient(server.url, cache_dir=tmp_path / "cache") as client:
        await client.push("there", files, capture=False)
    async with (
        chaos_proxy(server.port) as up,
        chaos_proxy(server.port) as down,
        AsyncClient(up.url, cache_dir=tmp_path / "up") as pusher,
        AsyncClient(down.url, cache_dir=tmp_path / "down") as puller,
    ):
        up.rate = down.rate = 125_000
        # Another namespace: nothing of it is there, so everything travels.
        _, pulled = await asyncio.gather(
            pusher.push("elsewhere/new", files, capture=False), puller.pull("there@1", tmp_path / "pulled")
        )
        assert max(up.accepted, down.accepted) <= 2, "a connection was given up that moved all the time"
        assert max(up.up.forwarded, down.down.forwarded) < total * _OVERHEAD + 50_000
    for path in files.iterdir():
        assert (pulled.path / path.name).read_bytes() == path.read_bytes()
    await assert_works(server.url)


async def test_stopped_readers_hold_little_memory(server: ServerProcess, tmp_path: Path) -> None:
    """F33, A50: some batches wait for each, no more; it gets the rest when it reads on."""
    size, readers = 48 * MIB, 8
    source = random_file(tmp_path / "model.bin", size)
    async with AsyncClient(server.url, cache_dir=tmp_path / "cache") as client:
        await client.push("fraud", source, capture=False)
    process = psutil.Process(server.pid)
    request = artifacts_pb2.ReadFileRequest(version=f"{MODEL}/versions/1", path="model.bin")
    # A client that does not buffer for its reader, so that what it has not taken is still with the server.
    options = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 64 << 10)]
    async with chaos_proxy(server.port) as proxy, grpc.aio.insecure_channel(proxy.address, options=options) as channel:
        stub = ArtifactsServiceStub(channel)
        before = process.memory_info().rss
        streams = [aiter(stub.ReadFile(request)) for _ in range(readers)]
        heads = [await anext(stream) for stream in streams]
        for _ in range(3):
            await assert_holds(server.url, "fraud@1", source)
        assert proxy.down.forwarded < readers * MIB
        assert process.memory_info().rss - before < readers * 12 * MIB
        await assert_works(server.url)

        rest = [message.data async for message in streams[0]]
        assert heads[0].data + b"".join(rest) == source.read_bytes()
    await assert_works(server.url)

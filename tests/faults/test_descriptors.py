"""A server that has used up its file descriptors: calls are refused for the moment, and the door opens again."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import grpc
import psutil
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.support.registry import refused
from tests.support.requests import NAMESPACE, blob_of, digest_of, request_id
from tests.support.roundtrip import assert_works, random_file
from tests.support.server import ServerProcess

from modelyard import AsyncClient
from modelyard.v1 import artifacts_pb2, registry_pb2
from modelyard.v1.artifacts_pb2_grpc import ArtifactsServiceStub
from modelyard.v1.registry_pb2_grpc import RegistryServiceStub

MIB = 1 << 20
_STRANGERS = 50


@contextmanager
def _no_more_files(server: ServerProcess) -> Iterator[None]:
    """Inside, the server keeps the descriptors that it has, and gets no other."""
    process = psutil.Process(server.pid)
    soft, hard = process.rlimit(psutil.RLIMIT_NOFILE)
    # The limit is on the number of a descriptor, and the lowest one that is free is given next.
    used = {int(entry.name) for entry in Path(f"/proc/{server.pid}/fd").iterdir()}
    lowest_free = min(set(range(len(used) + 1)) - used)
    process.rlimit(psutil.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        yield
    finally:
        process.rlimit(psutil.RLIMIT_NOFILE, (soft, hard))


async def test_without_descriptors_it_refuses_and_recovers(server: ServerProcess, tmp_path: Path) -> None:
    """F09"""
    await assert_works(server.url)
    data = bytes(MIB)
    async with grpc.aio.insecure_channel(server.address) as channel:
        artifacts, registry = ArtifactsServiceStub(channel), RegistryServiceStub(channel)
        upload = await artifacts.StartUpload(
            artifacts_pb2.StartUploadRequest(
                parent=NAMESPACE, size_bytes=len(data), digest=digest_of(data), request_id=request_id()
            )
        )
        batch = artifacts_pb2.BatchWriteBlobsRequest(
            parent=NAMESPACE, items=[artifacts_pb2.BatchWriteBlobsRequest.Item(blob=blob_of(b"x"), data=b"x")]
        )
        with ExitStack() as strangers, _no_more_files(server):
            for _ in range(_STRANGERS):
                stranger = strangers.enter_context(socket.socket())
                stranger.setblocking(False)
                stranger.connect_ex(("127.0.0.1", server.port))
            write = artifacts.WriteBlob()
            await write.write(artifacts_pb2.WriteBlobRequest(upload=upload.name, data=data))
            await write.done_writing()
            read = artifacts.ReadFile(
                artifacts_pb2.ReadFileRequest(
                    version=f"{NAMESPACE}/models/afterwards/versions/1", path="model.bin", read_limit=10
                )
            )
            for call in (artifacts.BatchWriteBlobs(batch), write, read):
                told = await refused(call)
                assert (told.code, told.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_OPEN_FILES")
                assert "RetryInfo" in told.details
                assert str(tmp_path) not in told.message
            health = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
            assert health.status == health_pb2.HealthCheckResponse.SERVING
            await registry.GetModel(registry_pb2.GetModelRequest(name=f"{NAMESPACE}/models/afterwards"))

        await artifacts.BatchWriteBlobs(batch)
    await assert_works(server.url)


async def test_a_new_connection_waits_for_a_free_descriptor(server: ServerProcess, tmp_path: Path) -> None:
    """F09: who can't be let in is let in later, by the same accept loop."""
    source = random_file(tmp_path / "model.bin", 2 * MIB)
    async with AsyncClient(server.url, cache_dir=tmp_path / "cache") as client:
        with _no_more_files(server):
            pushing = asyncio.create_task(client.push("fraud", source, capture=False))
            done, _ = await asyncio.wait((pushing,), timeout=1)
            assert not done, "it was let in without a descriptor"
        assert (await pushing).number == 1
    await assert_works(server.url)

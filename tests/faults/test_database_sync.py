"""F07: an fsync of the database fails. Nobody knows what is on the disk then, so the server ends and starts anew."""

import subprocess
from pathlib import Path
from uuid import uuid4

import pytest
from tests.support.deaths import log_of
from tests.support.fsck import assert_clean
from tests.support.server import ServerProcess

from modelyard import AsyncClient
from modelyard.errors import UnavailableError
from modelyard.v1 import registry_pb2 as pb
from modelyard.v1.registry_pb2_grpc import RegistryServiceStub


@pytest.fixture
def shim(tmp_path: Path) -> Path:
    library = tmp_path / "broken_sync.so"
    source = Path(__file__).with_name("broken_sync.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


async def test_a_failed_fsync_ends_the_server_and_loses_nothing(
    tmp_path: Path, shim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger = tmp_path / "broken"
    monkeypatch.setenv("LD_PRELOAD", str(shim))
    monkeypatch.setenv("BROKEN_SYNC", str(trigger))
    server = ServerProcess(tmp_path)
    server.entry = None  # the library is loaded when a program is executed
    server.start()
    monkeypatch.delenv("LD_PRELOAD")
    try:
        async with AsyncClient(server.url) as client:
            await client.models.create("before")
            acknowledged = await log_of(server)
            trigger.touch()
            connection = client._connection
            with pytest.raises(UnavailableError):
                await connection.call(
                    connection.stub(RegistryServiceStub).CreateModel,
                    pb.CreateModelRequest(parent="namespaces/default", model_id="never", request_id=str(uuid4())),
                    patience=0,
                )
            assert server.wait() == 70
            assert "fsync of the database failed" in server.log.read_text()

            trigger.unlink()
            server.start()
            assert (await log_of(server))[: len(acknowledged)] == acknowledged
            await client.models.create("after")
        assert server.stop() == 0
        assert_clean(server)
    finally:
        server.close()

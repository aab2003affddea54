"""Servers that die while they start: in a migration, or in the sweep of what has expired."""

import asyncio
import subprocess
from pathlib import Path

import pytest
from tests.support.deaths import dying_at, sql
from tests.support.fsck import assert_clean
from tests.support.postgres import Postgres
from tests.support.server import BIN, ServerProcess, clean_environment

from modelyard import AsyncClient
from modelyard.v1 import artifacts_pb2 as pb
from modelyard.v1.artifacts_pb2_grpc import ArtifactsServiceStub

MIGRATIONS = ("migration.before", "migration.before_commit", "migration.after_commit")


@pytest.mark.parametrize("point", MIGRATIONS)
async def test_the_first_start_dies_and_the_second_serves(tmp_path: Path, point: str) -> None:
    """R12"""
    server = ServerProcess(tmp_path)
    try:
        async with dying_at(server, point):
            pass
        async with AsyncClient(server.url) as client:
            await client.models.create("fraud")
        assert server.stop() == 0
        assert_clean(server)
    finally:
        server.close()


@pytest.mark.parametrize("point", MIGRATIONS)
def test_a_migration_by_hand_dies_and_the_next_ends_it(tmp_path: Path, postgres: Postgres, point: str) -> None:
    url = postgres.create()
    command: list[str | Path] = [BIN / "modelyard-server", "migrate", "--database-url", url]
    armed = {**clean_environment(), "MODELYARD_FAILPOINTS": f"{point}=kill"}

    died = subprocess.run([*command, "--development"], check=False, capture_output=True, env=armed)
    again = subprocess.run(command, check=True, capture_output=True, text=True, env=clean_environment())

    assert died.returncode == -9
    assert ("up to date" in again.stdout) == (point == "migration.after_commit")
    server = ServerProcess(tmp_path, "--database-url", url).start()
    server.stop()
    assert_clean(server)


@pytest.mark.parametrize(
    "point", ["expiry.after_commit", "expiry.after_discard", "commit.before_db", "commit.after_db"]
)
async def test_the_sweep_dies_and_the_next_ends_it(tmp_path: Path, point: str) -> None:
    server = ServerProcess(tmp_path).start()
    try:
        await _stage(server, 3)
        server.stop()
        await sql(server, "UPDATE uploads SET expire_time = 0")
        async with dying_at(server, point):
            pass
        staging = tmp_path / "data" / "staging"
        async with asyncio.timeout(30):
            while any(staging.iterdir()):
                await asyncio.sleep(0.01)
        assert await sql(server, "SELECT id FROM uploads") == []
        assert server.stop() == 0
        assert_clean(server)
    finally:
        server.close()


async def _stage(server: ServerProcess, count: int) -> None:
    """Uploads that somebody began and never finished."""
    async with AsyncClient(server.url) as client:
        connection = client._connection
        for _ in range(count):
            request = pb.StartUploadRequest(parent="namespaces/default", size_bytes=100)
            upload = await connection.call(connection.stub(ArtifactsServiceStub).StartUpload, request)
            frame = pb.WriteBlobRequest(upload=upload.name, data=b"some")
            async with connection.stream(connection.stub(ArtifactsServiceStub).WriteBlob) as stream:
                await stream.write(frame)
                await stream.done_writing()
                await stream

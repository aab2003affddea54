"""Servers that die while they start: in a migration, or in the sweep of what has expired."""

from pathlib import Path

import pytest
from tests.support.children import clean_environment, run_server
from tests.support.deaths import dying_at, sql
from tests.support.fsck import assert_clean
from tests.support.postgres import Postgres
from tests.support.server import ServerProcess
from tests.support.waiting import until

from modelyard import AsyncClient
from modelyard.v1 import artifacts_pb2 as pb
from modelyard.v1.artifacts_pb2_grpc import ArtifactsServiceStub

MIGRATIONS = ("migration.before", "migration.before_commit", "migration.after_commit")


@pytest.mark.parametrize("point", MIGRATIONS)
async def test_a_start_completes_a_migration_that_was_killed(tmp_path: Path, point: str) -> None:
    """R12"""
    server = ServerProcess(tmp_path)
    try:
        async with dying_at(server, point, fresh=True):
            pass
        async with AsyncClient(server.url) as client:
            await client.models.create("fraud")
        assert server.stop() == 0
        assert_clean(server)
    finally:
        server.close()


@pytest.mark.parametrize("point", MIGRATIONS)
def test_a_migration_command_completes_one_that_was_killed(tmp_path: Path, postgres: Postgres, point: str) -> None:
    url = postgres.create()
    armed = {**clean_environment(), "MODELYARD_FAILPOINTS": f"{point}=kill"}

    died = run_server("migrate", "--database-url", url, "--development", env=armed)
    again = run_server("migrate", "--database-url", url)

    assert died.returncode == -9
    assert again.returncode == 0, again.stderr
    assert ("up to date" in again.stdout) == (point == "migration.after_commit")
    server = ServerProcess(tmp_path, "--database-url", url).start()
    server.stop()
    assert_clean(server)


@pytest.mark.parametrize(
    "point", ["expiry.after_commit", "expiry.after_discard", "commit.before_db", "commit.after_db"]
)
async def test_the_next_sweep_completes_one_that_was_killed(tmp_path: Path, point: str) -> None:
    server = ServerProcess(tmp_path).start()
    try:
        await _stage(server, 3)
        server.stop()
        await sql(server, "UPDATE uploads SET expire_time = 0")
        async with dying_at(server, point):
            pass
        staging = tmp_path / "data" / "staging"
        await until(lambda: not any(staging.iterdir()))
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

"""A server's health while its database or its disk is away, and when it is back."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.support.postgres import Postgres, running_postgres
from tests.support.server import ServerProcess

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICES = ("", "modelyard.v1.RegistryService")


@asynccontextmanager
async def _watches(server: ServerProcess) -> AsyncIterator[list[Any]]:
    """What health tells of the whole server, and of one service."""
    async with grpc.aio.insecure_channel(server.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        yield [stub.Watch(health_pb2.HealthCheckRequest(service=name)) for name in SERVICES]


async def _all_say(watches: list[Any], status: int) -> None:
    for watch in watches:
        assert (await watch.read()).status == status


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    with running_postgres() as cluster:
        yield cluster


async def test_health_follows_the_database(own_postgres: Postgres, tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, "--database-url", own_postgres.migrated()).start()
    try:
        async with _watches(server) as watches:
            await _all_say(watches, SERVING)
            own_postgres.stop()
            await _all_say(watches, NOT_SERVING)
            own_postgres.start()
            await _all_say(watches, SERVING)
    finally:
        server.close()


async def test_health_follows_the_disk(server: ServerProcess) -> None:
    data, away = server.folder / "data", server.folder / "away"
    async with _watches(server) as watches:
        await _all_say(watches, SERVING)
        data.rename(away)
        await _all_say(watches, NOT_SERVING)
        away.rename(data)
        await _all_say(watches, SERVING)

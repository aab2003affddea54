"""A PostgreSQL that crashes, that is slow, that hangs, that has no connection left."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.support.children import PATIENCE
from tests.support.postgres import Postgres, running_postgres
from tests.support.proxy import ChaosProxy, Mode, chaos_proxy
from tests.support.registry import refused
from tests.support.requests import MODEL, NAMESPACE, request_id
from tests.support.roundtrip import assert_works, random_file
from tests.support.scale import SCALE
from tests.support.server import ServerProcess
from tests.support.waiting import until

from modelyard import AsyncClient
from modelyard.v1 import registry_pb2
from modelyard.v1.registry_pb2_grpc import RegistryServiceStub

_CRASHES = 3 * SCALE
_CLIENTS = 6
_BRIDGED = 60
"""Seconds that a push may take over a crash. PostgreSQL is away for less than one, on a machine that is not busy."""
_SOON = 30
"""Seconds for what takes two to six. A call that waits for the database for ever takes longer."""
_POOL = 2


@pytest.fixture(scope="module")
def mortal() -> Iterator[Postgres]:
    """A cluster of our own, to be ill-treated. What it acknowledged outlives it."""
    with running_postgres(durable=True) as cluster:
        yield cluster


@asynccontextmanager
async def _serving(folder: Path, url: str, pool: int) -> AsyncIterator[ServerProcess]:
    server = ServerProcess(folder, "--database-url", url, "--database-pool-size", str(pool))
    await asyncio.to_thread(server.start)  # a proxy in this loop may stand before its database
    try:
        yield server
    finally:
        server.close()


@asynccontextmanager
async def _locking(url: str, table: str) -> AsyncIterator[Callable[[int], Awaitable[bool]]]:
    """A stranger keeps a table to itself. What it yields tells whether so many statements wait for that."""
    stranger = await asyncpg.connect(url)

    async def waiting(count: int) -> bool:
        database = "(SELECT oid FROM pg_database WHERE datname = current_database())"
        query = f"SELECT count(*) FROM pg_locks WHERE NOT granted AND database = {database}"
        return bool(await stranger.fetchval(query) == count)

    try:
        async with stranger.transaction():
            await stranger.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield waiting
    finally:
        await stranger.close()


async def _assert_healthy(channel: grpc.aio.Channel) -> None:
    answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


class _Load:
    """Clients that push and promote until told to stop. They handle no errors: the SDK is to bridge everything."""

    def __init__(self, server: ServerProcess, folder: Path) -> None:
        self.acknowledged: dict[int, str] = {}
        self.aliases: dict[str, int] = {}
        self.longest = 0.0
        self._server = server
        self._folder = folder
        self._stopping = False

    async def work(self, number: int) -> None:
        async with AsyncClient(self._server.url, cache_dir=self._folder / f"cache-{number}") as client:
            turn = 0
            while not self._stopping:
                turn += 1
                source = random_file(self._folder / f"{number}.bin", 1000)
                started = time.monotonic()
                version = await client.push("fraud", source, labels={"by": f"{number}-{turn}"}, capture=False)
                assert version.number not in self.acknowledged
                self.acknowledged[version.number] = f"{number}-{turn}"
                await client.aliases.set("fraud", f"by-{number}", version.number)
                self.aliases[f"by-{number}"] = version.number
                self.longest = max(self.longest, time.monotonic() - started)

    def stop(self) -> None:
        self._stopping = True

    async def verify(self) -> None:
        """All that was acknowledged is there, once, under its number."""
        async with AsyncClient(self._server.url, cache_dir=self._folder / "verify") as client:
            found = {version.number: version.labels["by"] async for version in client.versions.list("fraud")}
            assert found == self.acknowledged
            assert sorted(found) == list(range(1, len(found) + 1))
            for alias, number in self.aliases.items():
                assert (await client.aliases.get("fraud", alias)).version.number == number


async def test_clients_do_not_notice_that_postgresql_crashed(mortal: Postgres, tmp_path: Path) -> None:
    """F14, R14: it restarts in immediate mode under load, and nothing acknowledged is lost, nothing done twice."""
    async with _serving(tmp_path, mortal.migrated(), 10) as server:
        load = _Load(server, tmp_path)
        workers = [asyncio.create_task(load.work(number)) for number in range(_CLIENTS)]
        try:
            for _ in range(_CRASHES):
                goal = len(load.acknowledged) + 5 * _CLIENTS
                await until(lambda: len(load.acknowledged) >= goal or any(w.done() for w in workers))  # noqa: B023 (awaited here)
                await asyncio.to_thread(mortal.stop, signal.SIGQUIT)
                await asyncio.to_thread(mortal.start)
            goal = len(load.acknowledged) + 5 * _CLIENTS
            await until(lambda: len(load.acknowledged) >= goal or any(w.done() for w in workers))
        finally:
            load.stop()
            await asyncio.gather(*workers)
        await load.verify()
        assert load.longest < _BRIDGED
        await assert_works(server.url)
        assert "INTERNAL" not in server.log.read_text()


async def test_calls_are_refused_soon_without_a_free_connection(mortal: Postgres, tmp_path: Path) -> None:
    """F17: at most 2 s, then RESOURCE_EXHAUSTED; health answers, and all is well when a connection is free again."""
    url = mortal.migrated()
    async with (
        _serving(tmp_path, url, _POOL) as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        stub = RegistryServiceStub(channel)
        await stub.CreateModel(registry_pb2.CreateModelRequest(parent=NAMESPACE, model_id="fraud"))
        request = registry_pb2.GetModelRequest(name=MODEL)
        async with _locking(url, "models") as waiting:
            stuck = [asyncio.ensure_future(stub.GetModel(request)) for _ in range(_POOL)]
            await until(lambda: waiting(_POOL))
            started = time.monotonic()
            told = await asyncio.gather(*(refused(stub.GetModel(request)) for _ in range(20)))
            assert 1.5 < time.monotonic() - started < _SOON
            assert not any(call.done() for call in stuck)
            assert {(one.code, one.reason) for one in told} == {(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")}
            assert all("RetryInfo" in one.details for one in told)
            await _assert_healthy(channel)
            assert not any(call.done() for call in stuck)
        for call in stuck:
            assert (await call).name == MODEL
        await assert_works(server.url)


async def test_calls_succeed_on_a_slow_database(mortal: Postgres, tmp_path: Path) -> None:
    """F18"""
    url = mortal.migrated()
    async with chaos_proxy(mortal.port) as proxy, _serving(tmp_path, _through(proxy, mortal, url), 10) as server:
        proxy.latency = 0.01
        await assert_works(server.url)


async def test_a_database_that_accepts_and_does_not_answer_is_unavailable(mortal: Postgres, tmp_path: Path) -> None:
    """F18"""
    url = mortal.migrated()
    async with (
        chaos_proxy(mortal.port) as proxy,
        _serving(tmp_path, _through(proxy, mortal, url), _POOL) as server,
        grpc.aio.insecure_channel(server.address, options=[("grpc.enable_retries", 0)]) as channel,
    ):
        proxy.mode = Mode.MUTE
        proxy.reset()
        started = time.monotonic()
        request = registry_pb2.ListModelsRequest(parent=NAMESPACE)
        told = await refused(RegistryServiceStub(channel).ListModels(request))
        assert (told.code, told.reason) == (grpc.StatusCode.UNAVAILABLE, "BACKEND_DOWN")
        assert time.monotonic() - started < _SOON
        await _assert_healthy(channel)
        proxy.mode = Mode.PASS
        await assert_works(server.url)


def _through(proxy: ChaosProxy, cluster: Postgres, url: str) -> str:
    return url.replace(f":{cluster.port}/", f":{proxy.port}/")


@asynccontextmanager
async def _lost_network(proxy: ChaosProxy, _url: str) -> AsyncIterator[None]:
    proxy.mode = Mode.DROP
    yield
    proxy.mode = Mode.PASS


@asynccontextmanager
async def _stopped_backends(_proxy: ChaosProxy, url: str) -> AsyncIterator[None]:
    stranger = await asyncpg.connect(url)
    query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    pids = [row["pid"] for row in await stranger.fetch(query)]
    await stranger.close()
    assert len(pids) == _POOL
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


async def test_calls_end_when_the_database_hangs(mortal: Postgres, tmp_path: Path) -> None:
    """F18: callers hear of it at their deadline or before, calls do not pile up, and no lock is left behind.

    Whether the network lost the connections or the processes behind them stand still. Each on a server of its own, but
    at the same time: it is waiting, mostly.
    """
    folders = [tmp_path / "network", tmp_path / "backends"]
    for folder in folders:
        folder.mkdir()
    await asyncio.gather(
        *(_hang(mortal, folder, hang) for folder, hang in zip(folders, (_lost_network, _stopped_backends), strict=True))
    )


async def _hang(
    mortal: Postgres, folder: Path, hang: Callable[[ChaosProxy, str], AbstractAsyncContextManager[None]]
) -> None:
    url = mortal.migrated()
    async with (
        chaos_proxy(mortal.port) as proxy,
        _serving(folder, _through(proxy, mortal, url), _POOL) as server,
        grpc.aio.insecure_channel(server.address, options=[("grpc.enable_retries", 0)]) as channel,
    ):
        stub = RegistryServiceStub(channel)
        await stub.CreateModel(registry_pb2.CreateModelRequest(parent=NAMESPACE, model_id="fraud"))
        get = registry_pb2.GetModelRequest(name=MODEL)
        creations = [
            registry_pb2.CreateModelRequest(parent=NAMESPACE, model_id=f"m{n}", request_id=request_id())
            for n in range(_POOL)
        ]
        async with AsyncExitStack() as stack:
            async with _locking(url, "log_heads") as waiting:
                # All connections are in the middle of a transaction, which has locked some rows, when it begins.
                changes = asyncio.gather(*(_code(stub.CreateModel(creation)) for creation in creations))
                await until(lambda: waiting(_POOL))
                await stack.enter_async_context(hang(proxy, url))
            while not changes.done():
                started = time.monotonic()
                codes = await asyncio.gather(*(_code(stub.GetModel(get, timeout=1)) for _ in range(10)))
                assert changes.done() or set(codes) <= {grpc.StatusCode.DEADLINE_EXCEEDED, *_SHED}
                assert time.monotonic() - started < _SOON
                await _assert_healthy(channel)
            # One that the server tries again may find that the other calls have all connections.
            assert set(await changes) <= _SHED
        await until(lambda: _answers(stub.GetModel(get, timeout=_SOON)))
        for creation in creations:  # a retry tells what became of them
            assert (await stub.CreateModel(creation)).name == f"{NAMESPACE}/models/{creation.model_id}"
        await assert_works(server.url)


_SHED = {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE}


async def _code(call: Awaitable[Any]) -> grpc.StatusCode:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def _answers(call: Awaitable[Any]) -> bool:
    return await _code(call) is grpc.StatusCode.OK

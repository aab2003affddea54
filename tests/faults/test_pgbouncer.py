"""PostgreSQL behind PgBouncer: in each of its modes, with more callers than it has connections, and while it dies."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from configparser import ConfigParser
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from tests.docs.blocks import blocks
from tests.support.children import ROOT, run_server
from tests.support.fsck import assert_clean
from tests.support.pgbouncer import PgBouncer, running_pgbouncer
from tests.support.postgres import Postgres
from tests.support.proxy import chaos_proxy
from tests.support.registry import running_registry
from tests.support.requests import NAMESPACE
from tests.support.roundtrip import assert_works, random_file
from tests.support.server import ServerProcess
from tests.support.waiting import until
from tests.support.workload import Workload

from modelyard import AsyncClient
from modelyard.v1 import registry_pb2
from modelyard_server.db.connection import Connection
from modelyard_server.db.engines.factory import create_engine, parse_url


@dataclass
class _Mode:
    name: str
    connections: int
    """Of PgBouncer to the database."""
    callers: int
    """Connections of each of two servers to PgBouncer."""
    ends: tuple[int, ...]
    """Signals that end this PgBouncer."""


_TRANSACTION = _Mode("transaction", 3, 12, (signal.SIGKILL, signal.SIGTERM, signal.SIGINT))
# A session keeps its connection: three of each server, and one for the check. SIGINT would wait for all of them.
_SESSION = _Mode("session", 7, 3, (signal.SIGKILL, signal.SIGTERM))


@pytest.fixture(params=[_TRANSACTION, _SESSION], ids=lambda mode: mode.name)
def mode(request: pytest.FixtureRequest) -> _Mode:
    found: _Mode = request.param
    return found


@pytest.fixture
def pooler(mode: _Mode, postgres: Postgres) -> Iterator[PgBouncer]:
    with running_pgbouncer(postgres, pool_mode=mode.name, default_pool_size=str(mode.connections)) as running:
        yield running


@asynccontextmanager
async def _two_servers(folder: Path, url: str, pool: int) -> AsyncIterator[list[ServerProcess]]:
    """Two servers on one database. They share a store, as two machines share one that both of them mount."""
    flags = ("--database-url", url, "--database-pool-size", str(pool))
    servers = [ServerProcess(folder / name, *flags) for name in ("one", "two")]
    first, second = (server.folder / "data" for server in servers)
    try:
        for data in (first, second):
            data.mkdir(parents=True)
        await asyncio.to_thread(servers[0].start)
        for part in first.iterdir():
            if part.name != "server.lock":
                (second / part.name).symlink_to(part)
        await asyncio.to_thread(servers[1].start)
        yield servers
    finally:
        for server in servers:
            server.close()


async def _watch(url: str, folder: Path, seen: list[int]) -> None:
    async with AsyncClient(url, cache_dir=folder) as client:
        async for pulled in client.watch("watched@live"):
            seen.append(pulled.version.number)  # noqa: PERF401 (it is looked at meanwhile)


async def test_clients_lose_nothing_while_pgbouncer_dies_and_comes_back(
    mode: _Mode, pooler: PgBouncer, postgres: Postgres, tmp_path: Path
) -> None:
    """R14: they push, pull, list, delete, move and watch, through two servers."""
    url = pooler.url(postgres.migrated())
    async with _two_servers(tmp_path, url, mode.callers) as (one, two):
        source = random_file(tmp_path / "watched.bin", 1000)
        async with (
            AsyncClient(one.url, cache_dir=tmp_path / "mover") as mover,
            Workload(one.url, tmp_path / "clients", seed=7) as workload,
        ):
            moved = [(await mover.push("watched", source, alias="live", capture=False)).number]
            seen: list[int] = []
            watching = asyncio.create_task(_watch(two.url, tmp_path / "watcher", seen))
            for number in mode.ends:
                await workload.further(20)
                await asyncio.to_thread(pooler.stop, number)
                pushing = asyncio.create_task(mover.push("watched", source, alias="live", capture=False))
                await asyncio.to_thread(pooler.start)
                moved.append((await pushing).number)
            await workload.further(20)
            while not workload.history.read:
                await workload.further(1)
        await workload.verify()
        await until(lambda: len(seen) >= len(moved) or watching.done())
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        assert seen == moved
        assert_clean(one)
        for server in (one, two):
            assert "INTERNAL" not in server.log.read_text()


async def test_callers_share_fewer_connections_than_they_are(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.migrated()
    with running_pgbouncer(postgres, pool_mode="transaction", default_pool_size="2") as pooler:
        through = pooler.url(url)
        async with (
            running_registry(through, tmp_path / "one") as one,
            running_registry(through, tmp_path / "two") as two,
        ):
            requests = [registry_pb2.CreateModelRequest(parent=NAMESPACE, model_id=f"model-{n}") for n in range(100)]
            await asyncio.gather(*((one, two)[n % 2].registry.CreateModel(each) for n, each in enumerate(requests)))
            listed = await two.registry.ListModels(registry_pb2.ListModelsRequest(parent=NAMESPACE, page_size=200))
        assert len(listed.models) == len(requests)
        assert await _connections(url) <= 2


async def _connections(url: str) -> int:
    """Those of others to the database of ``url``."""
    (count,) = await _ask(
        url, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    return int(count)


async def _ask(url: str, *queries: str) -> list[Any]:
    """The single answer to each of these, by a client that prepares nothing under a name."""
    client = await asyncpg.connect(url, statement_cache_size=0)
    try:
        async with client.transaction():
            return [await client.fetchval(query) for query in queries]
    finally:
        await client.close()


_LIMITS = ("statement_timeout", "idle_in_transaction_session_timeout", "transaction_timeout")


async def _limits_of_a_transaction(connection: Connection) -> list[str]:
    return [await connection.scalar(text(f"SHOW {name}")) for name in _LIMITS]


async def _insert(connection: Connection) -> None:
    await connection.execute(text("INSERT INTO secrets (id, value) VALUES ('x', '')"))


@pytest.mark.parametrize("pooled", [False, True], ids=["directly", "through PgBouncer"])
async def test_each_transaction_has_its_limits(postgres: Postgres, *, pooled: bool) -> None:
    url = postgres.migrated()
    with running_pgbouncer(postgres, pool_mode="transaction") as pooler:
        engine = create_engine(parse_url(pooler.url(url) if pooled else url))
        reader = create_engine(parse_url(pooler.url(url) if pooled else url), read_only=True)
        try:
            for run in (engine.read, engine.write, engine.write, reader.read):
                assert await run(_limits_of_a_transaction) == ["10s", "10s", "12s"]
            with pytest.raises(DBAPIError, match="read-only transaction"):
                await reader.write(_insert)
        finally:
            await engine.dispose()
            await reader.dispose()


async def test_no_setting_and_no_prepared_statement_is_left_to_the_next_client(
    postgres: Postgres, tmp_path: Path
) -> None:
    url = postgres.migrated()
    with running_pgbouncer(postgres, pool_mode="transaction", default_pool_size="1") as pooler:
        async with running_registry(pooler.url(url), tmp_path / "yard") as yard:
            await yard.registry.CreateModel(registry_pb2.CreateModelRequest(parent=NAMESPACE, model_id="fraud"))
            settings = [f"SHOW {name}" for name in _LIMITS]
            left = await _ask(pooler.url(url), "SELECT count(*) FROM pg_prepared_statements", *settings)
        assert left == [0, "0", "0", "0"]


async def test_settings_that_a_stranger_left_stop_no_write_and_make_no_commit_less_durable(
    postgres: Postgres, tmp_path: Path
) -> None:
    url = postgres.migrated()
    with running_pgbouncer(postgres, pool_mode="transaction", default_pool_size="1") as pooler:
        stranger = await asyncpg.connect(pooler.url(url), statement_cache_size=0)
        await stranger.execute("SET default_transaction_read_only = on")
        await stranger.execute("SET synchronous_commit = off")
        await stranger.close()
        async with running_registry(pooler.url(url), tmp_path / "yard") as yard:
            await yard.registry.CreateModel(registry_pb2.CreateModelRequest(parent=NAMESPACE, model_id="fraud"))
            durable = await yard.engine.write(lambda connection: connection.scalar(text("SHOW synchronous_commit")))
        assert durable == "on"


async def test_the_pgbouncer_ini_of_the_documentation_works(postgres: Postgres, tmp_path: Path) -> None:
    """The documented configuration, without the lines about addresses and logins, which depend on the network."""
    url = postgres.migrated()
    page = ROOT / "docs" / "how-to" / "operations.md"
    (ini,) = [block.code for block in blocks(page) if block.title == "pgbouncer.ini"]
    with running_pgbouncer(postgres) as pooler:
        pooler.stop()
        given = ConfigParser()
        given.read_string(ini)
        given["databases"]["modelyard"] = (
            f"host=127.0.0.1 port={postgres.port} user=postgres dbname={url.rpartition('/')[2]}"
        )
        given["pgbouncer"].update(listen_addr="127.0.0.1", listen_port=str(pooler.port), auth_type="any")
        del given["pgbouncer"]["auth_file"]
        pooler.use(given)
        pooler.start()
        server = ServerProcess(tmp_path, "--database-url", pooler.url(postgres.url("modelyard")))
        try:
            await asyncio.to_thread(server.start)
            await assert_works(server.url)
        finally:
            server.close()


async def test_a_pooler_that_comes_later_is_found(postgres: Postgres, tmp_path: Path) -> None:
    """The server runs on: it reaches the same address, and from some moment on another program stands behind it."""
    url = postgres.migrated()
    with running_pgbouncer(postgres, pool_mode="transaction", default_pool_size="2") as pooler:
        async with chaos_proxy(postgres.port) as proxy:
            server = ServerProcess(tmp_path, "--database-url", url.replace(f":{postgres.port}/", f":{proxy.port}/"))
            try:
                await asyncio.to_thread(server.start)
                for port in (postgres.port, pooler.port, postgres.port):
                    proxy.lead_to(port)
                    proxy.reset()
                    await asyncio.gather(*(assert_works(server.url, f"model-{number}") for number in range(4)))
                assert "INTERNAL" not in server.log.read_text()
            finally:
                await asyncio.to_thread(server.close)


def test_servers_that_migrate_together_wait_for_each_other(pooler: PgBouncer, postgres: Postgres) -> None:
    url = pooler.url(postgres.create())
    with ThreadPoolExecutor() as threads:
        done = list(threads.map(lambda _: run_server("migrate", "--database-url", url), range(3)))

    assert [each.returncode for each in done] == [0, 0, 0], [each.stderr for each in done]
    assert sorted("up to date" in each.stdout for each in done) == [False, True, True]


def test_statement_mode_is_refused_with_what_to_configure(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.migrated()
    with running_pgbouncer(postgres, pool_mode="statement") as pooler:
        for command in (("serve", "--data-dir", str(tmp_path)), ("migrate",)):
            refused = run_server(*command, "--database-url", pooler.url(url))

            assert refused.returncode == 1
            assert refused.stderr.splitlines()[-1] == (
                "error: PgBouncer runs this database in statement mode, which has no transactions."
                " Set pool_mode = transaction for it in pgbouncer.ini, and reload PgBouncer."
            )


async def test_a_pooler_without_a_free_connection_is_told_to_the_operator(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.migrated()
    with running_pgbouncer(postgres, pool_mode="session", default_pool_size="1") as pooler:
        stranger = await asyncpg.connect(pooler.url(url), statement_cache_size=0)
        await stranger.execute("SELECT 1")
        command = ("serve", "--data-dir", tmp_path, "--database-url", pooler.url(url))
        refused = await asyncio.to_thread(run_server, *command)
        await stranger.close()

    assert refused.returncode == 1
    assert "in session mode its default_pool_size must be at least" in refused.stderr

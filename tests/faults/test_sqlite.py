"""The embedded database: locked by a stranger, written by many, damaged, or taken already."""

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import chain
from pathlib import Path

import grpc
import pytest
from tests.support.children import run_server
from tests.support.registry import refused
from tests.support.requests import NAMESPACE
from tests.support.roundtrip import assert_works, random_file
from tests.support.scale import SCALE
from tests.support.server import ServerProcess

from modelyard import AsyncClient
from modelyard.v1 import registry_pb2
from modelyard.v1.registry_pb2_grpc import RegistryServiceStub

_WRITERS = 32
_PAGE = 4096


@contextmanager
def _locked(server: ServerProcess) -> Iterator[None]:
    """Another process, which this one is for the server, writes and does not end its transaction."""
    with closing(sqlite3.connect(server.folder / "data" / "modelyard.db", isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


async def test_writers_wait_for_a_locked_database_and_are_then_refused(server: ServerProcess) -> None:
    """F10: after 5 s each writer hears UNAVAILABLE, however many of them wait. Readers are answered meanwhile."""
    async with grpc.aio.insecure_channel(server.address, options=[("grpc.enable_retries", 0)]) as channel:
        stub = RegistryServiceStub(channel)

        async def create(model: str) -> float:
            started = time.monotonic()
            call = stub.CreateModel(registry_pb2.CreateModelRequest(parent=NAMESPACE, model_id=model))
            told = await refused(call)
            assert (told.code, told.reason) == (grpc.StatusCode.UNAVAILABLE, "BACKEND_DOWN")
            assert "RetryInfo" in told.details
            assert "locked" not in told.message
            return time.monotonic() - started

        with _locked(server):
            writers = asyncio.gather(*(create(f"m{n}") for n in range(8)))
            answered = 0
            while not writers.done():
                await stub.ListModels(registry_pb2.ListModelsRequest(parent=NAMESPACE))
                answered += not writers.done()
                await asyncio.wait([writers], timeout=0.2)
            waited = await writers
            assert answered > 1, "readers wait for the lock too"
            assert min(waited) > 4
            # In a line, the last of eight would wait eight times as long as the first.
            assert max(waited) < 4 * min(waited)

        listed = await stub.ListModels(registry_pb2.ListModelsRequest(parent=NAMESPACE))
        assert not listed.models, "a writer that was refused has written"
    await assert_works(server.url)


async def test_a_client_outlasts_a_lock_that_goes_away(server: ServerProcess, tmp_path: Path) -> None:
    """F10"""
    async with AsyncClient(server.url, cache_dir=tmp_path / "cache") as client:
        await client.models.create("before")
        with _locked(server):
            creating = asyncio.create_task(client.models.create("during"))
            while "BACKEND_DOWN" not in server.log.read_text():
                await asyncio.sleep(0.05)
        assert (await creating).name.model == "during"
    await assert_works(server.url)


async def test_many_writers_at_once_never_meet_a_busy_database(server: ServerProcess, tmp_path: Path) -> None:
    """F11: none fails, none is lost, numbers have no gaps."""
    source = random_file(tmp_path / "weights", 1000)
    each = 4 * SCALE

    async def work(writer: int) -> list[int]:
        async with AsyncClient(server.url, cache_dir=tmp_path / f"cache-{writer}") as client:
            numbers = []
            for _ in range(each):
                version = await client.push("fraud", source, capture=False)
                await client.aliases.set("fraud", f"writer-{writer}", version.number)
                numbers.append(version.number)
            return numbers

    numbers = await asyncio.gather(*(work(writer) for writer in range(_WRITERS)))
    assert sorted(chain.from_iterable(numbers)) == list(range(1, _WRITERS * each + 1))
    log = server.log.read_text()
    for sign in ("BACKEND_DOWN", "WRITE_CONFLICT", "INTERNAL"):
        assert sign not in log
    await assert_works(server.url)


def _start_in_vain(server: ServerProcess) -> str:
    done = run_server(*server.command()[1:])
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def _pages(database: Path) -> dict[str, int]:
    """The number of the first page of each table and index that a server can't do without."""
    with closing(sqlite3.connect(database)) as connection:
        return dict(connection.execute("SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 0"))


@pytest.mark.parametrize("what", ["header", "models", "events"])
async def test_a_damaged_database_is_not_served(server: ServerProcess, what: str) -> None:
    """F12: the server says so, names the file to its operator, and touches nothing."""
    await assert_works(server.url)
    assert server.stop() == 0
    data = server.folder / "data"
    database = data / "modelyard.db"
    whole = database.read_bytes()
    start = 0 if what == "header" else (_pages(database)[what] - 1) * _PAGE
    damaged = whole[:start] + b"\xa5" * _PAGE + whole[start + _PAGE :]
    database.write_bytes(damaged)
    files = sorted(path for path in (data / "blobs").rglob("*") if path.is_file())

    told = _start_in_vain(server)

    assert "damaged" in told
    assert str(database) in told
    assert "backup" in told
    assert database.read_bytes() == damaged
    assert sorted(path for path in (data / "blobs").rglob("*") if path.is_file()) == files
    database.write_bytes(whole)
    server.start()
    await assert_works(server.url)


async def test_damage_of_a_served_database_is_reported_as_unavailable(server: ServerProcess) -> None:
    """A disk that goes may read like this before it fails: callers hear that the database is away, not INTERNAL."""
    await assert_works(server.url)
    assert server.stop() == 0
    server.start()
    database = server.folder / "data" / "modelyard.db"
    page = _pages(database)["version_files"]
    with database.open("r+b") as file:
        file.seek((page - 1) * _PAGE)
        file.write(b"\xa5" * _PAGE)
    async with AsyncClient(server.url) as client:
        found = [model async for model in client.models.list()]
        name = f"{found[0].name}/versions/1"
    async with grpc.aio.insecure_channel(server.address, options=[("grpc.enable_retries", 0)]) as channel:
        told = await refused(RegistryServiceStub(channel).GetVersion(registry_pb2.GetVersionRequest(name=name)))
    assert (told.code, told.reason) == (grpc.StatusCode.UNAVAILABLE, "BACKEND_DOWN")
    assert "malformed" not in told.message


@pytest.mark.parametrize("how", ["missing", "empty"])
async def test_a_missing_database_is_not_recreated_beside_its_blobs(server: ServerProcess, how: str) -> None:
    await assert_works(server.url)
    assert server.stop() == 0
    database = server.folder / "data" / "modelyard.db"
    whole = database.read_bytes()
    database.unlink()
    if how == "empty":
        database.touch()

    told = _start_in_vain(server)

    assert "missing or empty" in told
    assert "Restore the database" in told
    database.write_bytes(whole)
    server.start()
    await assert_works(server.url)


async def test_a_second_server_on_the_same_data_is_refused(server: ServerProcess) -> None:
    """F13"""
    second = ServerProcess(server.folder)

    told = _start_in_vain(second)

    assert f"another server (process {server.pid}) works in" in told
    await assert_works(server.url)
    server.kill()
    second.start()
    try:
        await assert_works(second.url)
    finally:
        second.close()

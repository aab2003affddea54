"""A signal ends a start that hangs at once, with one line. No step of the start is left half-done."""

import asyncio
import signal
import socket
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from pathlib import Path

import pytest
from tests.support import templates
from tests.support.children import BIN, clean_environment
from tests.support.server import ServerProcess
from tests.support.waiting import until

ENDS = {signal.SIGINT: (130, "interrupted"), signal.SIGTERM: (143, "terminated")}


@asynccontextmanager
async def mute_database(folder: Path) -> AsyncIterator[ServerProcess]:
    """It accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        url = f"postgresql://registry@127.0.0.1:{listener.getsockname()[1]}/registry"
        server = ServerProcess(folder, "--database-url", url).start(wait=False)
        connection, _ = await asyncio.to_thread(listener.accept)
        with connection:
            assert await asyncio.to_thread(connection.recv, 1)  # it has asked
            yield server


@asynccontextmanager
async def locked_database(folder: Path) -> AsyncIterator[ServerProcess]:
    """Another program holds the embedded database."""
    templates.sqlite_into(folder / "data")
    database = sqlite3.connect(folder / "data" / "modelyard.db", isolation_level=None)
    with closing(database):
        database.execute("PRAGMA locking_mode=EXCLUSIVE")
        database.execute("BEGIN EXCLUSIVE")
        server = ServerProcess(folder).start(wait=False, fresh=True)
        await _await_lock(folder)
        yield server


@asynccontextmanager
async def slow_migration(folder: Path) -> AsyncIterator[ServerProcess]:
    """The step of a migration takes a minute."""
    server = ServerProcess(folder).start(wait=False, fresh=True, failpoints="migration.before_commit=delay:60000")
    await _await_lock(folder)
    yield server


async def _await_lock(folder: Path) -> None:
    """Waits until a server has the data folder."""
    lock = folder / "data" / "server.lock"
    await until(lambda: lock.exists() and lock.stat().st_size > 0)


@pytest.mark.parametrize("number", ENDS, ids=lambda number: signal.Signals(number).name)
@pytest.mark.parametrize("hanging", [mute_database, locked_database, slow_migration])
async def test_a_start_that_hangs_is_ended_at_once_with_one_line(
    tmp_path: Path, hanging: Callable[[Path], AbstractAsyncContextManager[ServerProcess]], number: signal.Signals
) -> None:
    code, word = ENDS[number]
    async with hanging(tmp_path) as server:
        try:
            assert await asyncio.to_thread(server.stop, number) == code
        finally:
            server.close()
        assert server.log.read_text().splitlines()[-1:] == [word]
        assert "Traceback" not in server.log.read_text()

    again = await asyncio.to_thread(ServerProcess(tmp_path).start)  # nothing is in its way
    assert await asyncio.to_thread(again.stop) == 0


@pytest.mark.parametrize("number", ENDS, ids=lambda number: signal.Signals(number).name)
def test_a_migration_that_hangs_is_ended_at_once(tmp_path: Path, number: signal.Signals) -> None:
    code, word = ENDS[number]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        url = f"postgresql://registry@127.0.0.1:{listener.getsockname()[1]}/registry"
        process = subprocess.Popen(
            [str(BIN / "modelyard-server"), "migrate", "--database-url", url],
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=clean_environment(),
        )
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(1)
            process.send_signal(number)
            told = process.communicate()

    assert (process.returncode, *told) == (code, "", f"{word}\n")

"""A server starts only on the store that its database belongs with."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.support.children import run_server
from tests.support.fsck import run_fsck
from tests.support.postgres import Postgres
from tests.support.prepared import Prepared
from tests.support.server import ServerProcess

from modelyard_server.db.engines.factory import create_engine, parse_url, sqlite_url


def _data(server: ServerProcess) -> Path:
    return server.folder / "data"


def _identity(server: ServerProcess) -> str:
    return (_data(server) / "STORE_ID").read_text().strip()


def _refuses(server: ServerProcess) -> str:
    """Starts a server that must stop by itself; what it says."""
    before = _listing(server)
    done = run_server(*server.command()[1:])
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert _listing(server) == before
    return done.stderr


def _listing(server: ServerProcess) -> list[str]:
    """What the folder holds, but for the files of the lock and of SQLite's log."""
    names = (str(path.relative_to(_data(server))) for path in _data(server).rglob("*"))
    return sorted(name for name in names if name != "server.lock" and not name.startswith("modelyard.db"))


def _url(server: ServerProcess) -> list[str]:
    return list(server.flags[:2])


def _sql(server: ServerProcess, statement: str) -> list[str]:
    url = parse_url(server.flags[1]) if server.flags else sqlite_url(_data(server) / "modelyard.db")

    async def run() -> list[str]:
        engine = create_engine(url)
        try:
            return await engine.migrate(
                lambda connection: (
                    [row[0] for row in found] if (found := connection.execute(text(statement))).returns_rows else []
                )
            )
        finally:
            await engine.dispose()

    return asyncio.run(run())


def _kinds(server: ServerProcess) -> str:
    return run_fsck("--data-dir", _data(server), *_url(server)).stdout


@pytest.fixture
def copy(prepared: Prepared, tmp_path: Path) -> ServerProcess:
    """A stopped server with blobs, on each database."""
    return prepared.copy(tmp_path / "copy")


def test_database_and_store_have_the_same_id(copy: ServerProcess) -> None:
    assert _sql(copy, "SELECT identity FROM stores") == [_identity(copy)]


def test_a_store_without_its_blobs_is_refused(copy: ServerProcess) -> None:
    shutil.rmtree(_data(copy) / "blobs")

    assert "names blobs, and" in _refuses(copy)


def test_another_store_is_refused_and_found_by_fsck(copy: ServerProcess) -> None:
    (_data(copy) / "STORE_ID").write_text(f"{'0' * 32}\n")

    assert f"is the store {'0' * 32}" in _refuses(copy)
    assert "STORE_MISMATCH" in _kinds(copy)


def test_a_store_that_lost_its_id_is_refused_and_found_by_fsck(copy: ServerProcess) -> None:
    identity = _identity(copy)
    (_data(copy) / "STORE_ID").unlink()

    told = _refuses(copy)
    assert f"belongs with the store {identity}" in told
    assert "STORE_MISMATCH" in _kinds(copy)

    (_data(copy) / "STORE_ID").write_text(identity)  # as the message says
    copy.start().stop()


def test_a_damaged_id_is_told(copy: ServerProcess) -> None:
    (_data(copy) / "STORE_ID").write_bytes(b"\xff\n")

    assert "STORE_ID is damaged" in _refuses(copy)
    assert "STORE_MISMATCH" in _kinds(copy)


def _no_store(server: ServerProcess) -> None:
    (_data(server) / "STORE_ID").unlink()


def _store_first(_server: ServerProcess) -> None:
    """As if the server had died after it gave the folder its id."""


@pytest.mark.parametrize("before", [_no_store, _store_first])
def test_a_registry_of_an_earlier_release_is_joined_once(
    copy: ServerProcess, before: Callable[[ServerProcess], None]
) -> None:
    _sql(copy, "DELETE FROM stores")
    before(copy)

    copy.start().stop()

    assert _sql(copy, "SELECT identity FROM stores") == [_identity(copy)]
    assert "clean" in _kinds(copy)


def test_a_registry_of_an_earlier_release_without_any_of_its_blobs_is_refused(copy: ServerProcess) -> None:
    _sql(copy, "DELETE FROM stores")
    (_data(copy) / "STORE_ID").unlink()
    shutil.rmtree(_data(copy) / "blobs")

    assert "holds none of them" in _refuses(copy)


def test_an_empty_folder_is_refused(prepared_on_postgresql: Prepared, tmp_path: Path) -> None:
    """As of a volume that is not mounted."""
    server = prepared_on_postgresql.copy(tmp_path / "copy")
    shutil.rmtree(_data(server))
    _data(server).mkdir()

    told = _refuses(server)
    assert "holds no store" in told
    assert "may not be mounted" in told
    assert _listing(server) == []


def test_the_folder_of_another_database_is_refused(
    prepared_on_postgresql: Prepared, postgres: Postgres, tmp_path: Path
) -> None:
    server = prepared_on_postgresql.copy(tmp_path / "copy")
    server.flags = ("--database-url", postgres.migrated())

    assert "of another database" in _refuses(server)


def test_a_second_server_with_a_folder_of_its_own_is_refused(postgres: Postgres, tmp_path: Path) -> None:
    """Nothing was pushed yet. A push to one could not be pulled from the other."""
    flags = ("--database-url", postgres.migrated())
    first, second = (ServerProcess(tmp_path / name, *flags) for name in ("first", "second"))
    for server in (first, second):
        _data(server).mkdir(parents=True)
    first.start()
    try:
        told = _refuses(second)
    finally:
        first.close()

    assert f"belongs with the store {_identity(first)}" in told

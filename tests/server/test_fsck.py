"""`modelyard-server fsck` names what is wrong, exactly, and touches nothing."""

import hashlib
import os
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.deaths import sql
from tests.support.fsck import fsck
from tests.support.prepared import Prepared
from tests.support.server import BIN, ServerProcess, clean_environment

from modelyard import AsyncClient

FRAUD = "namespaces/default/models/fraud"
SECOND = hashlib.sha256(b"fraud 1").hexdigest()
"""What version 2 is made of."""


def _blob(server: ServerProcess) -> Path:
    (path,) = (server.folder / "data" / "blobs").rglob(f"{SECOND}.*")
    return path


def _statement(text: str) -> Callable[[ServerProcess], Awaitable[object]]:
    return lambda server: sql(server, text)


async def _remove(server: ServerProcess) -> None:
    _blob(server).unlink()


async def _truncate(server: ServerProcess) -> None:
    path = _blob(server)
    path.chmod(0o600)
    os.truncate(path, 3)


async def _flip(server: ServerProcess) -> None:
    path = _blob(server)
    path.chmod(0o600)
    path.write_bytes(b"fraud 8")


@dataclass(frozen=True)
class Damage:
    """One thing done behind the registry's back, and what is said of it."""

    do: Callable[[ServerProcess], Awaitable[object]]
    kind: str
    resource: str


VERSION_2 = "(SELECT key FROM versions WHERE number = 2)"
DAMAGES = {
    "a blob is gone": Damage(_remove, "BLOB_MISSING", f"sha256:{SECOND}"),
    "a blob is cut": Damage(_truncate, "BLOB_SIZE_WRONG", f"sha256:{SECOND}"),
    "a bit is flipped": Damage(_flip, "BLOB_CHANGED", f"sha256:{SECOND}"),
    "a file's row is gone": Damage(
        _statement(f"DELETE FROM version_files WHERE version_key = {VERSION_2}"), "FILES_MISSING", f"{FRAUD}/versions/2"
    ),
    "a file has another path": Damage(
        _statement(f"UPDATE version_files SET path = 'other' WHERE version_key = {VERSION_2}"),
        "MANIFEST_CHANGED",
        f"{FRAUD}/versions/2",
    ),
    "a version has another size": Damage(
        _statement("UPDATE versions SET total_size = 8 WHERE number = 2"), "SIZE_WRONG", f"{FRAUD}/versions/2"
    ),
    "a version was changed past the log": Damage(
        _statement("UPDATE versions SET row_version = 5 WHERE number = 2"), "NOT_LOGGED", f"{FRAUD}/versions/2"
    ),
    "a namespace lost a blob": Damage(
        _statement(f"DELETE FROM namespace_blobs WHERE digest = 'sha256:{SECOND}'"),
        "FILE_WITHOUT_BLOB",
        f"{FRAUD}/versions/2 weights",
    ),
    "a blob's row is gone": Damage(
        _statement(f"DELETE FROM blobs WHERE digest = 'sha256:{SECOND}'"),
        "BLOB_NOT_STORED",
        f"namespaces/default/blobs/sha256:{SECOND}",
    ),
    "an alias points at what is deleted": Damage(
        _statement("UPDATE aliases SET version_key = (SELECT key FROM versions WHERE number = 3)"),
        "ALIAS_DANGLING",
        f"{FRAUD}/aliases/production",
    ),
    "an alias points into another model": Damage(
        _statement(
            "UPDATE aliases SET version_key ="
            " (SELECT v.key FROM versions v JOIN models m ON m.key = v.model_key WHERE m.id = 'spare')"
        ),
        "ALIAS_DANGLING",
        f"{FRAUD}/aliases/production",
    ),
    "a number was skipped": Damage(
        _statement("UPDATE models SET last_number = 4 WHERE id = 'fraud'"), "NUMBER_WRONG", FRAUD
    ),
    "an event is edited": Damage(
        _statement("UPDATE events SET actor = 'nobody' WHERE revision = 3"),
        "EVENT_CHANGED",
        "namespaces/default/events/3",
    ),
    "an event is gone": Damage(
        _statement("DELETE FROM events WHERE revision = 3"), "EVENT_MISSING", "namespaces/default/events/3"
    ),
    "an event has another's hash": Damage(
        _statement(f"UPDATE events SET previous_hash = '{'1' * 64}' WHERE revision = 3"),
        "CHAIN_BROKEN",
        "namespaces/default/events/3",
    ),
    "the log's end is cut off": Damage(
        _statement("DELETE FROM events WHERE revision = (SELECT max(revision) FROM events)"),
        "EVENT_MISSING",
        "namespaces/default/events/12",
    ),
    "the head has another hash": Damage(
        _statement(f"UPDATE log_heads SET hash = '{'1' * 64}'"), "HEAD_WRONG", "namespaces/default"
    ),
}


async def _everything(server: ServerProcess) -> object:
    tables = ("models", "versions", "version_files", "aliases", "blobs", "namespace_blobs", "events", "log_heads")
    rows = [await sql(server, f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]
    files = sorted((path, path.stat().st_mtime_ns) for path in (server.folder / "data" / "blobs").rglob("*"))
    return rows, files


def test_what_a_server_leaves_is_clean(prepared: Prepared, tmp_path: Path) -> None:
    report = fsck(prepared.copy(tmp_path), read_data=True)

    assert report["clean"]
    assert (report["faults"], report["notes"]) == ([], [])
    assert report["checked"] == {"versions": 5, "files": 5, "blobs": 5, "namespaces": 1, "events": 12}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_it_names_what_is_wrong(prepared: Prepared, tmp_path: Path, damage: str) -> None:
    server = prepared.copy(tmp_path)
    await DAMAGES[damage].do(server)
    before = await _everything(server)

    report = fsck(server, read_data=True)

    told = {(fault["kind"], fault["resource"]) for fault in report["faults"]}
    assert (DAMAGES[damage].kind, DAMAGES[damage].resource) in told
    assert report["fault_count"] == len(report["faults"]) <= 3
    assert await _everything(server) == before


async def test_bytes_are_read_only_when_asked(prepared: Prepared, tmp_path: Path) -> None:
    server = prepared.copy(tmp_path)
    await _flip(server)

    assert fsck(server)["clean"]


async def test_leftovers_of_a_crash_are_told_and_no_fault(prepared: Prepared, tmp_path: Path) -> None:
    server = prepared.copy(tmp_path)
    stray = server.folder / "data" / "blobs" / "sha256" / "00" / f"{'0' * 64}.{'0' * 32}"
    stray.write_bytes(b"stray")
    staged = server.folder / "data" / "staging" / "00000000-0000-0000-0000-000000000000"
    staged.write_bytes(b"staged")

    report = fsck(server)

    assert report["clean"]
    assert [note["kind"] for note in report["notes"]] == ["BLOB_UNREFERENCED", "STAGED_UNREFERENCED"]


async def test_it_may_run_beside_a_server_that_is_written_to(server: ServerProcess, tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("weights")
    async with AsyncClient(server.url) as client:
        await client.push("fraud", tmp_path / "weights", capture=False)
        checking = subprocess.Popen(
            [BIN / "modelyard-server", "fsck", "--data-dir", server.folder / "data"],
            stdout=subprocess.PIPE,
            text=True,
            env=clean_environment(),
        )
        pushed = 0
        while checking.poll() is None:
            await client.push("fraud", tmp_path / "weights", alias=f"a{pushed}", capture=False)
            pushed += 1
        assert (checking.communicate(), checking.returncode)[1] == 0
    assert pushed
    assert fsck(server)["clean"]


def _run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [BIN / "modelyard-server", "fsck", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=clean_environment())


def test_where_there_is_no_registry_it_says_so_and_makes_none(tmp_path: Path) -> None:
    done = _run("--data-dir", tmp_path / "nothing")

    assert done.returncode == 2
    assert "there is no registry in" in done.stderr
    assert not (tmp_path / "nothing").exists()


async def test_another_schema_is_not_checked(prepared: Prepared, tmp_path: Path) -> None:
    server = prepared.copy(tmp_path)
    await sql(server, "UPDATE alembic_version SET version_num = '9999'")

    done = _run("--data-dir", server.folder / "data", *server.flags)

    assert done.returncode == 2
    assert "a newer one migrated it" in done.stderr


async def test_a_person_reads_what_is_wrong(prepared_on_sqlite: Prepared, tmp_path: Path) -> None:
    server = prepared_on_sqlite.copy(tmp_path)
    await _remove(server)

    done = _run("--data-dir", server.folder / "data")

    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "checked 5 versions, 5 files, 5 blobs, 1 namespaces, 12 events",
        f"fault: BLOB_MISSING  sha256:{SECOND}: is not in the store",
        "1 faults: nothing was changed",
    ]

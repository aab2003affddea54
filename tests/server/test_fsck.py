"""`modelyard-server fsck` names what is wrong, exactly, and touches nothing."""

import asyncio
import hashlib
import os
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.support.deaths import sql
from tests.support.fsck import database_url_of, fsck, run_fsck
from tests.support.postgres import Postgres
from tests.support.prepared import Prepared
from tests.support.server import BIN, ServerProcess, clean_environment
from typer.testing import CliRunner

from modelyard import AsyncClient
from modelyard.core.facts import Dataset, DatasetRole, Direction, Parent, Relation, Run, Signature
from modelyard.v1 import events_pb2
from modelyard.v1.events_pb2_grpc import EventsServiceStub
from modelyard_server import offline
from modelyard_server.checking.report import Report
from modelyard_server.cli import cli
from modelyard_server.config import Settings
from modelyard_server.db.metadata import metadata

DEFAULT = "namespaces/default"
FRAUD = f"{DEFAULT}/models/fraud"
GONE = f"{DEFAULT}/models/gone"
PRODUCTION = f"{FRAUD}/aliases/production"
SECOND = f"sha256:{hashlib.sha256(b'fraud 1').hexdigest()}"
"""What version 2 is made of."""
FIRST = f"sha256:{hashlib.sha256(b'fraud 0').hexdigest()}"
OTHER = "1" * 64
WAITING = """
INSERT INTO webhook_deliveries (uid, webhook_key, namespace_key, revision, type, resource, lane, state, attempt_count,
    status_code, error, latency, create_time, next_attempt_time, claim)
SELECT 'x', key, namespace_key, queued_revision, 'model.updated', '', 'fraud', 'PENDING', 0, 0, '', 0, 0, 0, ''
FROM webhooks
"""
"""A delivery that waits, of a server that does not run."""
VERSION_2 = "(SELECT key FROM versions WHERE number = 2)"


async def check(server: ServerProcess, progress: Callable[[str, int], None] = lambda _what, _done: None) -> Report:
    """Everything, bytes too, without a process of its own for each of many."""
    values: dict[str, Any] = {"data_dir": server.folder / "data", "database_url": database_url_of(server)}
    settings = Settings(**values)
    return await offline.check(settings, read_data=True, progress=progress)


def told(report: Report) -> set[tuple[str, str]]:
    return {(fault.kind, fault.resource) for fault in report.faults}


def files_of(server: ServerProcess) -> dict[str, tuple[object, ...]]:
    """Path to mode of everything in the data directory; of files also time of the last change and content."""
    root = server.folder / "data"
    found: dict[str, tuple[object, ...]] = {}
    for path in root.rglob("*"):
        if not path.name.endswith("-shm"):  # SQLite's locks and index, written by readers too, of no lasting meaning
            status = path.stat()
            held = (status.st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest()) if path.is_file() else ()
            found[str(path.relative_to(root))] = (status.st_mode, *held)
    return found


async def rows_of(server: ServerProcess) -> list[object]:
    """All rows of a database that is not in the data directory."""
    if database_url_of(server) is None:
        return []
    return [await sql(server, f"SELECT * FROM {name} ORDER BY 1, 2") for name in metadata.tables]


def stored(server: ServerProcess) -> Path:
    (path,) = (server.folder / "data" / "blobs").rglob(f"{SECOND.removeprefix('sha256:')}.*")
    path.chmod(0o600)
    return path


def truncate(server: ServerProcess) -> None:
    os.truncate(stored(server), 3)


@dataclass(frozen=True)
class Damage:
    """Statements run behind the registry's back, and all that is said of it."""

    statements: tuple[str, ...]
    told: frozenset[tuple[str, str]]


def damage(*statements: str, **kinds: str | tuple[str, ...]) -> Damage:
    pairs = {(kind, name) for kind, names in kinds.items() for name in ((names,) if isinstance(names, str) else names)}
    return Damage(statements, frozenset(pairs))


def edited(column: str, value: str) -> Damage:
    """A column of an event, beside its bytes."""
    return damage(f"UPDATE events SET {column} = {value} WHERE revision = 3", EVENT_CHANGED=f"{DEFAULT}/events/3")


OF_BYTES: dict[str, tuple[Callable[[ServerProcess], object], str]] = {
    "a blob is gone": (lambda server: stored(server).unlink(), "BLOB_MISSING"),
    "a blob is cut": (truncate, "BLOB_SIZE_WRONG"),
    "a bit is flipped": (lambda server: stored(server).write_bytes(b"fraud 0"), "BLOB_CHANGED"),
}
OF_ROWS = {
    "a version's files are gone": damage(
        f"DELETE FROM version_files WHERE version_key = {VERSION_2}", FILES_MISSING=f"{FRAUD}/versions/2"
    ),
    "a file has another path": damage(
        f"UPDATE version_files SET path = 'other' WHERE version_key = {VERSION_2}",
        MANIFEST_CHANGED=f"{FRAUD}/versions/2",
    ),
    "a file has other bytes": damage(
        f"UPDATE version_files SET digest = '{FIRST}' WHERE version_key = {VERSION_2}",
        MANIFEST_CHANGED=f"{FRAUD}/versions/2",
    ),
    "a file has another size": damage(
        f"UPDATE version_files SET size = 8 WHERE version_key = {VERSION_2}",
        SIZE_WRONG=f"{FRAUD}/versions/2",
        FILE_WITHOUT_BLOB=f"{FRAUD}/versions/2 weights",
    ),
    "a version has another size": damage(
        "UPDATE versions SET total_size = 8 WHERE number = 2",
        SIZE_WRONG=f"{FRAUD}/versions/2",
        NOT_LOGGED=f"{FRAUD}/versions/2",
    ),
    "a version has another manifest digest": damage(
        f"UPDATE versions SET manifest_digest = '{FIRST}' WHERE number = 2",
        MANIFEST_CHANGED=f"{FRAUD}/versions/2",
        NOT_LOGGED=f"{FRAUD}/versions/2",
    ),
    "a version is described past the log": damage(
        "UPDATE versions SET description = 'good' WHERE number = 2", NOT_LOGGED=f"{FRAUD}/versions/2"
    ),
    "a version is released past the log": damage(
        "UPDATE versions SET state = 'QUARANTINED' WHERE number = 2", NOT_LOGGED=f"{FRAUD}/versions/2"
    ),
    "a version is restored past the log": damage(
        "UPDATE versions SET delete_time = NULL WHERE number = 3", NOT_LOGGED=f"{FRAUD}/versions/3"
    ),
    "a version has other facts": damage(
        """UPDATE versions SET facts = '{"metrics": {"auc": 1.0}}' WHERE number = 2""",
        NOT_LOGGED=f"{FRAUD}/versions/2",
    ),
    "a version can't be read": damage("UPDATE versions SET facts = '[]' WHERE number = 2", ROW_UNREADABLE="versions/2"),
    "a version is gone": damage(
        *(
            f"DELETE FROM {table} WHERE version_key = {VERSION_2}"
            for table in ("version_files", "version_texts", "version_numbers")
        ),
        "DELETE FROM versions WHERE number = 2",
        ROW_MISSING=f"{FRAUD}/versions/2",
        NUMBER_WRONG=FRAUD,
    ),
    "a version has another number": damage(
        "UPDATE versions SET number = 7 WHERE number = 2",
        ROW_MISSING=f"{FRAUD}/versions/2",
        NOT_LOGGED=f"{FRAUD}/versions/7",
        NUMBER_WRONG=FRAUD,
    ),
    "a number was skipped": damage("UPDATE models SET last_number = 4 WHERE id = 'fraud'", NUMBER_WRONG=FRAUD),
    "a number would be given out again": damage(
        "UPDATE models SET last_number = 2 WHERE id = 'fraud'", NUMBER_WRONG=FRAUD
    ),
    "a model is labelled past the log": damage(
        """UPDATE models SET labels = '{"tier": "gold"}' WHERE id = 'fraud'""", NOT_LOGGED=FRAUD
    ),
    "a namespace is named past the log": damage(
        "UPDATE namespaces SET display_name = 'ours' WHERE id = 'default'", NOT_LOGGED=DEFAULT
    ),
    "an alias is moved past the log": damage(f"UPDATE aliases SET version_key = {VERSION_2}", NOT_LOGGED=PRODUCTION),
    "an alias points at what is deleted": damage(
        "UPDATE aliases SET version_key = (SELECT key FROM versions WHERE number = 3)",
        ALIAS_DANGLING=PRODUCTION,
        NOT_LOGGED=PRODUCTION,
    ),
    "an alias points into another model": damage(
        "UPDATE aliases SET version_key ="
        " (SELECT v.key FROM versions v JOIN models m ON m.key = v.model_key WHERE m.id = 'spare')",
        ALIAS_DANGLING=PRODUCTION,
        NOT_LOGGED=PRODUCTION,
    ),
    "an alias is gone": damage("DELETE FROM aliases", ROW_MISSING=PRODUCTION),
    "a namespace lost a blob": damage(
        f"DELETE FROM namespace_blobs WHERE digest = '{SECOND}'", FILE_WITHOUT_BLOB=f"{FRAUD}/versions/2 weights"
    ),
    "a namespace holds a blob of another size": damage(
        f"UPDATE namespace_blobs SET size = 8 WHERE digest = '{SECOND}'",
        FILE_WITHOUT_BLOB=f"{FRAUD}/versions/2 weights",
        BLOB_NOT_STORED=f"{DEFAULT}/blobs/{SECOND}",
    ),
    "a blob's row is gone": damage(
        f"DELETE FROM blobs WHERE digest = '{SECOND}'", BLOB_NOT_STORED=f"{DEFAULT}/blobs/{SECOND}"
    ),
    "a blob's row has another size": damage(
        f"UPDATE blobs SET size = 8 WHERE digest = '{SECOND}'",
        BLOB_SIZE_WRONG=SECOND,
        BLOB_NOT_STORED=f"{DEFAULT}/blobs/{SECOND}",
    ),
    "a blob's row names another file": damage(
        f"UPDATE blobs SET generation = '{'0' * 32}' WHERE digest = '{SECOND}'", BLOB_MISSING=SECOND
    ),
    "a blob's row leads out of the store": damage(
        f"UPDATE blobs SET generation = '../up' WHERE digest = '{SECOND}'", BLOB_MISSING=SECOND
    ),
    "an upload became nothing": damage(
        "INSERT INTO uploads SELECT 'u', key, 7, 'sha256:0', 'COMMITTED', 'g', 1, 0, 9000000000000000 FROM namespaces",
        UPLOAD_WITHOUT_BLOB=f"{DEFAULT}/uploads/u",
    ),
    "an event's actor is edited": edited("actor", "'nobody'"),
    "an event's model is edited": edited("model_id", "'spare'"),
    "an event's time is edited": edited("time", "time + 1"),
    "an event's request id is edited": edited("request_id", "'x'"),
    "an event's reason is edited": edited("reason", "'x'"),
    "an event's resource is edited": damage(
        f"UPDATE events SET resource = '{FRAUD}/versions/9' WHERE revision = 3",
        EVENT_CHANGED=f"{DEFAULT}/events/3",
        NOT_LOGGED=f"{FRAUD}/versions/1",
        ROW_MISSING=f"{FRAUD}/versions/9",
    ),
    "an event's type is edited": damage(
        "UPDATE events SET type = 'alias.created' WHERE revision = 3",
        EVENT_CHANGED=f"{DEFAULT}/events/3",
        NOT_LOGGED=f"{FRAUD}/versions/1",
    ),
    "an event has the bytes of another": damage(
        "UPDATE events SET payload = (SELECT payload FROM events WHERE revision = 4) WHERE revision = 3",
        EVENT_CHANGED=f"{DEFAULT}/events/3",
        NOT_LOGGED=f"{FRAUD}/versions/1",
    ),
    "an event has another hash": damage(
        f"UPDATE events SET hash = '{OTHER}' WHERE revision = 3",
        EVENT_CHANGED=f"{DEFAULT}/events/3",
        CHAIN_BROKEN=f"{DEFAULT}/events/4",
    ),
    "two events are swapped": damage(
        "UPDATE events SET revision = 1003 WHERE revision = 3",
        "UPDATE events SET revision = 3 WHERE revision = 4",
        "UPDATE events SET revision = 4 WHERE revision = 1003",
        CHAIN_BROKEN=tuple(f"{DEFAULT}/events/{revision}" for revision in (3, 4, 5)),
    ),
    "an event is gone": damage(
        "DELETE FROM events WHERE revision = 3",
        EVENT_MISSING=f"{DEFAULT}/events/3",
        NOT_LOGGED=f"{FRAUD}/versions/1",
    ),
    "the log's first event is gone": damage(
        "DELETE FROM events WHERE revision = 1", EVENT_MISSING=f"{DEFAULT}/events/1", NOT_LOGGED=DEFAULT
    ),
    "the log's end is cut off": damage(
        "DELETE FROM events WHERE revision = 12", EVENT_MISSING=f"{DEFAULT}/events/12", NOT_LOGGED=GONE
    ),
    "the log and its head are cut off": damage(
        "DELETE FROM events WHERE revision = 12",
        "UPDATE log_heads SET revision = 11, hash = (SELECT hash FROM events WHERE revision = 11)",
        NOT_LOGGED=GONE,
    ),
    "the log's front is cut off and the floor set there": damage(
        "UPDATE log_heads SET floor = 2, floor_hash = (SELECT hash FROM events WHERE revision = 2)",
        "DELETE FROM events WHERE revision <= 2",
        HEAD_WRONG=DEFAULT,
    ),
    "the head has another hash": damage(f"UPDATE log_heads SET hash = '{OTHER}'", HEAD_WRONG=DEFAULT),
    "the head is set back": damage(
        "UPDATE log_heads SET revision = 5, hash = (SELECT hash FROM events WHERE revision = 5)", HEAD_WRONG=DEFAULT
    ),
    "the head is ahead": damage("UPDATE log_heads SET revision = 13", EVENT_MISSING=f"{DEFAULT}/events/13"),
    "the head is gone": damage("DELETE FROM log_heads", HEAD_WRONG=DEFAULT),
}


def test_what_a_server_leaves_is_clean(prepared: Prepared, tmp_path: Path) -> None:
    report = fsck(prepared.copy(tmp_path), read_data=True)

    assert report["clean"]
    assert (report["faults"], report["notes"]) == ([], [])
    assert report["checked"] == {
        "namespaces": 1,
        "events": 12,
        "held blobs": 5,
        "models": 3,
        "versions": 5,
        "files": 5,
        "aliases": 1,
        "evaluations": 0,
        "deployments": 0,
        "webhooks": 0,
        "blobs": 5,
        "bytes": 34,
        "uploads": 0,
    }


@pytest.mark.parametrize("name", OF_BYTES)
async def test_it_names_the_bytes_that_are_wrong(prepared: Prepared, tmp_path: Path, name: str) -> None:
    server = prepared.copy(tmp_path)
    do, kind = OF_BYTES[name]
    do(server)
    before = files_of(server)

    assert told(await check(server)) == {(kind, SECOND)}
    assert files_of(server) == before


@pytest.mark.parametrize("name", OF_ROWS)
async def test_it_names_the_rows_that_are_wrong(prepared: Prepared, tmp_path: Path, name: str) -> None:
    server = prepared.copy(tmp_path)
    for statement in OF_ROWS[name].statements:
        await sql(server, statement)
    before = await rows_of(server), files_of(server)

    assert told(await check(server)) == OF_ROWS[name].told
    assert (await rows_of(server), files_of(server)) == before


def test_rows_that_belong_to_none_are_found(prepared_on_sqlite: Prepared, tmp_path: Path) -> None:
    """Each connection to SQLite chooses whether it keeps foreign keys; by default it does not."""
    server = prepared_on_sqlite.copy(tmp_path)
    with closing(sqlite3.connect(server.folder / "data" / "modelyard.db", isolation_level=None)) as connection:
        connection.execute("DELETE FROM models WHERE id = 'spare'")

    report = fsck(server)

    assert [(fault["kind"], fault["resource"]) for fault in report["faults"]] == [
        ("ROWS_ORPHANED", "versions"),
        ("ROW_MISSING", f"{DEFAULT}/models/spare"),
        ("ROW_MISSING", f"{DEFAULT}/models/spare/versions/1"),
    ]


async def test_bytes_that_are_no_event_are_a_fault_and_not_the_end(
    prepared_on_sqlite: Prepared, tmp_path: Path
) -> None:
    server = prepared_on_sqlite.copy(tmp_path)
    for revision, payload in ((3, b"{"), (5, b'{"revision": NaN}')):
        hash_ = hashlib.sha256(b"\0" + payload).hexdigest()
        values = f"payload = X'{payload.hex()}', hash = '{hash_}'"
        await sql(server, f"UPDATE events SET {values} WHERE revision = {revision}")

    found = told(await check(server))

    assert {("EVENT_CHANGED", f"{DEFAULT}/events/{revision}") for revision in (3, 5)} <= found


async def test_bytes_are_read_only_when_asked(prepared: Prepared, tmp_path: Path) -> None:
    server = prepared.copy(tmp_path)
    stored(server).write_bytes(b"fraud 0")

    assert fsck(server)["clean"]


async def test_leftovers_of_a_crash_are_told_and_no_fault(prepared: Prepared, tmp_path: Path) -> None:
    server = prepared.copy(tmp_path)
    stray = server.folder / "data" / "blobs" / "sha256" / "00" / f"{'0' * 64}.{'0' * 32}"
    stray.write_bytes(b"stray")
    staged = server.folder / "data" / "staging" / "00000000-0000-0000-0000-000000000000"
    staged.write_bytes(b"staged")
    await sql(server, "INSERT INTO uploads SELECT 'u', key, 7, '', 'OPEN', 'g', 1, 0, 0 FROM namespaces")

    report = await check(server)

    assert report.clean
    assert {(note.kind, note.resource) for note in report.notes} == {
        ("BLOB_UNREFERENCED", f"sha256:{'0' * 64}.{'0' * 32}"),
        ("STAGED_UNREFERENCED", staged.name),
        ("UPLOAD_EXPIRED", f"{DEFAULT}/uploads/u"),
    }


async def test_of_very_many_faults_the_first_are_told_and_all_counted(prepared: Prepared, tmp_path: Path) -> None:
    server = prepared.copy(tmp_path)
    await sql(
        server,
        "INSERT INTO uploads WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1234)"
        " SELECT 'u' || i, key, 7, 'sha256:0', 'COMMITTED', 'g', 1, 0, 0 FROM n, namespaces",
    )

    report = await check(server)

    assert (len(report.faults), report.fault_count) == (1000, 1234)
    assert (len(report.notes), report.note_count) == (1000, 1234)


async def test_what_is_right_at_a_second_look_is_not_told(prepared: Prepared, tmp_path: Path) -> None:
    server = prepared.copy(tmp_path)
    path, aside = stored(server), tmp_path / "aside"
    looks = 0

    def progress(what: str, done: int) -> None:
        nonlocal looks
        if (what, done) == ("blobs", 0):
            looks += 1
            path.rename(aside) if looks == 1 else aside.rename(path)

    assert (await check(server, progress)).clean
    assert looks == 2


async def test_what_a_killed_server_left_is_left(server: ServerProcess, tmp_path: Path) -> None:
    """Not even the database's write-ahead log, with all that happened last, is moved."""
    (tmp_path / "weights").write_text("weights")
    async with AsyncClient(server.url) as client:
        await client.push("fraud", tmp_path / "weights", capture=False)
    server.kill()
    before = files_of(server)
    assert before["modelyard.db-wal"]

    report = fsck(server)

    assert report["clean"]
    assert report["checked"]["versions"] == 1
    assert files_of(server) == before


@pytest.fixture(params=["sqlite", "postgresql"])
async def busy(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ServerProcess]:
    """A running server on each dialect."""
    flags: tuple[str, ...] = ()
    if request.param == "postgresql":
        cluster: Postgres = request.getfixturevalue("postgres")
        flags = ("--database-url", cluster.migrated())
    process = ServerProcess(tmp_path, *flags).start()
    yield process
    process.close()


async def test_every_change_leaves_row_and_log_agreed(busy: ServerProcess, tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("weights")
    async with AsyncClient(busy.url) as client:
        await client.namespaces.create("team", display_name="Équipe", labels={"tier": "gold"})
        await client.namespaces.update("team", description="ours", annotations={"a": "b"})
        for number in range(3):
            await client.push(
                "team/fraud",
                tmp_path / "weights",
                params={"layers": 2**62 + 1, "rate": 1e-300, "whole": 1.0, "deep": True, "name": "\u2028"},
                metrics={"auc": 0.1 + 0.2, "loss": 1e308, "zero": -0.0},
                datasets=[Dataset(name="train", uri="s3://d", rows=2**40, role=DatasetRole.TRAINING)],
                framework="torch==2.9.0",
                signature=Signature(inputs={"type": "object", "required": [1, 2.5, None, {"x": []}]}),
                parents=[Parent(version="team/fraud@1", relation=Relation.FINE_TUNED_FROM)] if number else (),
                run=Run(id="7", tracker="mlflow", url="http://runs/7"),
                labels={"number": str(number)},
                alias=["candidate", f"n{number}"],
            )
        await client.versions.update("team/fraud@1", description="first", labels={})
        await client.versions.deprecate("team/fraud@1", "old")
        await client.aliases.delete("team/fraud", "n1")
        await client.versions.delete("team/fraud@2")
        await client.versions.undelete("team/fraud@2")
        await client.aliases.set("team/fraud", "candidate", 1, reason="back")
        await client.aliases.rollback("team/fraud", "candidate")
        wrong = await client.evaluations.create(
            "team/fraud@2", "test", {"auc": 0.1 + 0.2}, slices={"de": {"auc": -0.0}}
        )
        await client.evaluations.create(
            "team/fraud@2", "test", {"auc": 1.0}, directions={"auc": Direction.HIGHER_IS_BETTER}, supersedes=wrong.name
        )
        await client.models.update("team/fraud", display_name="Fraud", owner="us")
        await client.models.delete("team/fraud", force=True)
        assert fsck(busy)["clean"]
        await client.models.undelete("team/fraud")
        for service in ("api", "api", "batch", "gone"):
            served = await client.deployments.register("team/fraud@1", service, reference="team/fraud@candidate")
            await client.deployments.heartbeat(served)
        await client.deployments.delete(served.deployment.name)
        served = await client.deployments.register("team/fraud@3", "api", observed_digest=FIRST)

    report = fsck(busy, read_data=True)

    assert report["clean"], report["faults"]
    assert report["checked"]["aliases"] == 3
    assert report["checked"]["evaluations"] == 2
    assert report["checked"]["deployments"] == 2
    await sql(busy, "UPDATE evaluations SET metrics = '{}' WHERE supersedes = ''")
    assert told(await check(busy)) == {("NOT_LOGGED", str(wrong.name))}
    await sql(busy, "DELETE FROM evaluations WHERE supersedes = ''")
    assert told(await check(busy)) == {("ROW_MISSING", str(wrong.name))}


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("UPDATE webhooks SET url = 'https://elsewhere.example.com/'", "NOT_LOGGED"),
        ("UPDATE webhooks SET queued_revision = 1000", "WEBHOOK_AHEAD"),
        ("UPDATE webhook_deliveries SET revision = 1000", "DELIVERY_LOST"),
        ("UPDATE webhook_deliveries SET next_attempt_time = NULL", "DELIVERY_STUCK"),
    ],
)
async def test_a_webhook_that_would_tell_too_little_is_found(busy: ServerProcess, statement: str, kind: str) -> None:
    async with AsyncClient(busy.url) as client:
        hook = await client.webhooks.create("ci", "https://hooks.example.com/x", types=["log.compacted"])
    busy.stop()
    await sql(busy, WAITING)
    assert (await check(busy)).clean

    await sql(busy, statement)

    assert told(await check(busy)) == {(kind, str(hook.name))}


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("UPDATE deployments SET observed_digest = ''", "NOT_LOGGED"),
        ("UPDATE deployments SET service = 'another'", "NOT_LOGGED"),
        ("UPDATE deployments SET version_key = (SELECT MAX(key) FROM versions)", "NOT_LOGGED"),
        ("DELETE FROM deployments", "ROW_MISSING"),
        ("UPDATE deployments SET heartbeat_time = 1, expire_time = 1, lease = ''", None),
    ],
)
async def test_a_deployment_that_was_edited_is_found(
    busy: ServerProcess, tmp_path: Path, statement: str, kind: str | None
) -> None:
    (tmp_path / "weights").write_text("weights")
    async with AsyncClient(busy.url) as client:
        for _ in range(2):
            await client.push("team/fraud", tmp_path / "weights", capture=False)
        served = await client.deployments.register("team/fraud@1", "api", observed_digest=FIRST)
    assert fsck(busy)["clean"]

    await sql(busy, statement)

    assert told(await check(busy)) == ({(kind, str(served.deployment.name))} if kind else set())


async def test_a_compacted_log_is_clean_too(busy: ServerProcess, tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("weights")
    async with AsyncClient(busy.url) as client:
        for _ in range(3):
            await client.push("fraud", tmp_path / "weights", alias="production", capture=False)
        connection = client._connection
        request = events_pb2.CompactEventsRequest(parent="namespaces/default", revision=5)
        await connection.call(connection.stub(EventsServiceStub).CompactEvents, request)
        assert fsck(busy)["clean"]
        await client.aliases.set("fraud", "production", 1)
    busy.stop()
    busy.start()  # it forgets what is below the floor
    while await sql(busy, "SELECT 1 FROM events WHERE revision <= 5"):
        await asyncio.sleep(0.05)
    assert fsck(busy)["clean"]
    await sql(busy, "UPDATE events SET reason = 'changed' WHERE revision = 6")
    assert told(await check(busy)) == {("EVENT_CHANGED", "namespaces/default/events/6")}


async def test_it_may_run_beside_a_server_that_is_written_to(busy: ServerProcess, tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("weights")
    url = database_url_of(busy)
    async with AsyncClient(busy.url) as client:
        await client.push("fraud", tmp_path / "weights", capture=False)
        checking = subprocess.Popen(
            [
                *(BIN / "modelyard-server", "fsck", "--read-data", "--data-dir", busy.folder / "data"),
                *(() if url is None else ("--database-url", url)),
            ],
            stdout=subprocess.PIPE,
            text=True,
            env=clean_environment(),
        )
        pushed = 0
        while checking.poll() is None:
            (tmp_path / "weights").write_text(f"weights {pushed}")
            await client.push("fraud", tmp_path / "weights", alias="here", capture=False)
            await client.aliases.delete("fraud", "here")
            pushed += 1
        told = checking.communicate()[0]
    assert pushed
    assert checking.returncode == 0, told
    assert fsck(busy)["clean"]


def test_where_there_is_no_registry_it_says_so_and_makes_none(tmp_path: Path) -> None:
    done = run_fsck("--data-dir", tmp_path / "nothing")

    assert done.returncode == 2
    assert "There is no registry in" in done.stderr
    assert not (tmp_path / "nothing").exists()


def test_another_folder_than_the_servers_is_not_taken_for_a_loss(
    prepared_on_postgresql: Prepared, tmp_path: Path
) -> None:
    done = run_fsck("--data-dir", tmp_path / "nothing", *prepared_on_postgresql.copy(tmp_path).flags)

    assert done.returncode == 2
    assert "Give the server's --data-dir." in done.stderr
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", "A newer release migrated it"),
        ("DELETE FROM alembic_version", "Run 'modelyard-server migrate'"),
        ("DROP TABLE uploads", "does not have the schema of this release"),
    ],
)
async def test_another_schema_is_not_checked(prepared: Prepared, tmp_path: Path, statement: str, said: str) -> None:
    server = prepared.copy(tmp_path)
    await sql(server, statement)

    done = run_fsck("--data-dir", server.folder / "data", *server.flags)

    assert done.returncode == 2
    assert said in done.stderr
    assert not done.stdout


def test_a_database_that_is_none_is_not_checked(prepared_on_sqlite: Prepared, tmp_path: Path) -> None:
    server = prepared_on_sqlite.copy(tmp_path)
    database = server.folder / "data" / "modelyard.db"
    database.write_bytes(b"no database " * 1000)
    before = files_of(server)

    done = run_fsck("--data-dir", server.folder / "data")

    assert done.returncode == 2
    assert "is damaged" in done.stderr
    assert files_of(server) == before


def test_what_can_not_be_asked_for_is_not_checked(tmp_path: Path) -> None:
    assert run_fsck("--data-dir", tmp_path, "--output", "yaml").returncode == 2
    assert run_fsck("--config", tmp_path / "nothing.toml").returncode == 2


def test_a_check_that_fails_itself_does_not_say_that_the_registry_is_damaged(
    prepared_on_sqlite: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(offline, "check", fail)

    done = CliRunner().invoke(cli, ["fsck", "--data-dir", str(tmp_path)])

    assert done.exit_code == 2
    assert "The check itself failed" in done.stderr


async def test_a_person_reads_what_is_wrong(prepared_on_sqlite: Prepared, tmp_path: Path) -> None:
    server = prepared_on_sqlite.copy(tmp_path)
    stored(server).unlink()

    done = run_fsck("--data-dir", server.folder / "data")

    assert done.returncode == 1
    assert not done.stderr
    counts = "12 events, 1 namespaces, 3 models, 5 versions, 5 files, 1 aliases, 5 held blobs, 5 blobs, 0 uploads"
    assert done.stdout.splitlines() == [
        f"checked {counts}, 0 evaluations, 0 deployments, 0 webhooks",
        f"fault: BLOB_MISSING  {SECOND}: is not in the store",
        "1 found wrong; nothing was changed",
    ]

"""`fsck` sees an edit of any column: also of the columns and tables that later releases add."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Column, Table, and_, select, update
from sqlalchemy.exc import IntegrityError
from tests.support.deaths import database_of, sql
from tests.support.fsck import check, database_url_of
from tests.support.server import ServerProcess

from modelyard import AsyncClient
from modelyard.core.facts import Dataset, Direction, Parent, Relation, Run
from modelyard_server import log
from modelyard_server.checking.report import Report
from modelyard_server.db.connection import Connection
from modelyard_server.db.engines.factory import create_engine, parse_url
from modelyard_server.db.metadata import Moment, metadata

_INDEX: Final = "an index for filters, written from the resource, which is checked"
_KEY: Final = "a number that no other row refers to"
_OUTCOME: Final = "what a retry is answered with; forgotten after a day"
_SECRET: Final = "random; there is nothing to compare it with"
_UNDER_WAY: Final = "of work under way, which ends within a day or starts again"
_TIME: Final = "a time for upkeep alone; the resource has its own, which is checked"
_LEASE: Final = "a heartbeat writes it anew every minute, or the row expires"
_USAGE: Final = "a count, which no event has"
UNCHECKED: Final[Mapping[str, Mapping[str, str]]] = {
    "aliases": {"key": _KEY},
    "blobs": {"create_time": _TIME},
    "deployments": {"key": _KEY, "lease": _LEASE, "ttl": _LEASE, "heartbeat_time": _LEASE, "expire_time": _LEASE},
    "evaluations": {"key": _KEY},
    "model_texts": dict.fromkeys(("field", "value", "namespace_key", "create_time"), _INDEX),
    "namespace_blobs": {"create_time": _TIME, "lease_expire_time": _TIME},
    "requests": dict.fromkeys(
        ("actor", "method", "request_id", "payload_hash", "snapshot", "resource_key", "create_time"), _OUTCOME
    ),
    "secrets": {"id": _SECRET, "value": _SECRET},
    "uploads": dict.fromkeys(
        ("id", "namespace_key", "size", "digest", "generation", "epoch", "create_time", "expire_time"), _UNDER_WAY
    ),
    "version_numbers": dict.fromkeys(("field", "value", "namespace_key", "model_key"), _INDEX),
    "version_texts": dict.fromkeys(("field", "value", "namespace_key", "create_time"), _INDEX),
    "version_usage": dict.fromkeys(("version_key", "download_count", "download_time", "use_time"), _USAGE),
    "webhook_deliveries": {
        "key": _KEY,
        "uid": _KEY,
        **dict.fromkeys(("webhook_key", "type", "resource", "lane", "attempt_count", "status_code"), _UNDER_WAY),
        **dict.fromkeys(("error", "latency", "create_time", "attempt_time", "next_attempt_time", "claim"), _UNDER_WAY),
    },
}
"""By table: the columns whose edits nothing sees, and why that is right. All other columns are covered."""
_FAR: Final = 10**6


async def _fill(url: str, folder: Path) -> None:
    """Rows of two namespaces, so that a key can be exchanged for another one that exists."""
    async with AsyncClient(url, cache_dir=folder / "cache") as client:
        for namespace in ("team", "other"):
            about: Any = {"description": "text", "labels": {"a": "b"}, "annotations": {"a": "b"}}
            await client.namespaces.create(namespace, display_name="Us", **about)
            model = f"{namespace}/fraud"
            for number in (1, 2):
                file = folder / "weights"
                file.write_text(f"{model} {number}")
                await client.push(
                    model,
                    file,
                    **about,
                    params={"layers": number},
                    metrics={"auc": number},
                    datasets=[Dataset(name="train", uri="s3://d")],
                    parents=[Parent(version=f"{model}@1", relation=Relation.FINE_TUNED_FROM)] if number > 1 else (),
                    run=Run(id=f"{number}"),
                    alias=["live", f"n{number}"],
                    capture=False,
                )
            await client.models.update(model, display_name="M", owner="us", **about)
            await client.pull(f"{model}@2")
            await client.deployments.register(f"{model}@2", "api", reference=f"{model}@live")
            await client.evaluations.create(
                f"{model}@2",
                "test",
                {"auc": 1.0},
                slices={"de": {"auc": 0.5}},
                directions={"auc": Direction.HIGHER_IS_BETTER},
            )
            await client.versions.deprecate(f"{model}@2", "old")
            await client.webhooks.create(f"{namespace}/ci", "https://hooks.example.com/x", types=["log.compacted"])
        await client.namespaces.create("empty")


# Uploads and deliveries that a killed server leaves.
_UPLOAD: Final = (
    "INSERT INTO uploads SELECT 'u', key, 7, '', 'OPEN', 'g', 1, 4102444800000000, 4102444800000000"
    " FROM namespaces WHERE id = 'team'"
)
_DELIVERY: Final = (
    "INSERT INTO webhook_deliveries (uid, webhook_key, namespace_key, revision, type, resource, lane, state,"
    " attempt_count, status_code, error, latency, create_time, next_attempt_time, claim)"
    " SELECT 'x' || key, key, namespace_key, queued_revision, 'model.updated', '', 'fraud', 'PENDING',"
    " 0, 0, '', 0, 0, 0, '' FROM webhooks"
)


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A stopped server."""
    folder = tmp_path_factory.mktemp("filled")
    flags = ("--database-url", request.getfixturevalue("postgres").migrated()) if request.param == "postgresql" else ()
    server = ServerProcess(folder, *flags).start()
    try:
        asyncio.run(_fill(server.url, folder))
        assert server.stop() == 0
        for statement in (_UPLOAD, _DELIVERY):
            asyncio.run(sql(server, statement))
        yield server
    finally:
        server.close()


class _Behind:
    """Edits rows behind the registry's back."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._engine = create_engine(parse_url(database_of(server)))

    async def rows(self, table: Table) -> list[dict[str, Any]]:
        async def work(connection: Connection) -> list[dict[str, Any]]:
            return [dict(row._mapping) for row in await connection.execute(select(table).order_by(*table.primary_key))]

        return await self._engine.read(work)

    async def run(self, *statements: Any) -> None:
        async def work(connection: Connection) -> None:
            for statement in statements:
                await connection.execute(statement)
            await connection.commit()

        await self._engine.write(work)

    async def set(self, table: Table, row: Mapping[str, Any], column: str, value: Any) -> None:
        which = and_(*(each == row[each.name] for each in table.primary_key))
        await self.run(update(table).where(which).values({column: value}))

    async def look(self) -> Report:
        return await check(self._server.folder / "data", database_url_of(self._server), read_data=False)

    async def close(self) -> None:
        await self._engine.dispose()


@pytest.fixture
async def behind(filled: ServerProcess) -> AsyncIterator[_Behind]:
    editor = _Behind(filled)
    yield editor
    await editor.close()


async def _another(behind: _Behind, column: Column[Any], value: Any) -> Any:
    """Another value for a column: one that refers to something that exists, if the column refers to anything."""
    for key in column.foreign_keys:
        found = {row[key.column.name] for row in await behind.rows(key.column.table)}
        return min(found - {value}, default=value)
    if value is None:
        value = datetime.fromtimestamp(0).astimezone() if isinstance(column.type, Moment) else column.type.python_type()
    match value:
        case bool():
            return not value
        case int() | float():
            return value + _FAR
        case datetime():
            return value + timedelta(hours=1)
        case bytes():
            return value + b"x"
        case str():
            return value + "x"
        case dict():
            member = next((name for name, each in value.items() if each is not None), "x")
            return {**value, member: await _another(behind, column, value.get(member, ""))}
        case list():
            return [*value, "x"]
    raise AssertionError(f"{column} has a value of a kind that this test does not know: {value!r}")


async def _edited(behind: _Behind, column: Column[Any], row: Mapping[str, Any]) -> Report | None:
    """The report on an edited column of one row; None if the database itself refuses the edit."""
    table, name = column.table, column.name
    assert isinstance(table, Table)
    changed = await _another(behind, column, row[name])
    if changed == row[name]:
        return None
    try:
        await behind.set(table, row, name, changed)
    except IntegrityError:
        return None
    try:
        return await behind.look()
    finally:
        await behind.set(table, {**row, name: changed}, name, row[name])


async def test_each_edit_of_a_log_is_named(behind: _Behind) -> None:
    """In each row of the heads, also of the log that has next to nothing, and in an event."""
    assert (await behind.look()).clean
    for table in log.CAPABILITY.tables:
        rows = await behind.rows(table)
        for row in rows if table.name == "log_heads" else rows[len(rows) // 2 :][:1]:
            for column in table.columns:
                report = await _edited(behind, column, row)
                assert report is None or any(fault.resource.startswith("namespaces/") for fault in report.faults), (
                    f"nobody sees that {column} of {row} was edited"
                )


def _tables() -> list[Table]:
    return [table for table in metadata.sorted_tables if table not in log.CAPABILITY.tables]


@pytest.mark.parametrize("table", _tables(), ids=lambda table: table.name)
async def test_each_edit_is_seen_or_known_to_be_harmless(behind: _Behind, table: Table) -> None:
    before = await behind.look()
    assert before.clean
    rows = await behind.rows(table)
    assert rows, f"nothing to edit: have {_fill.__name__} write rows of {table.name}"
    unseen = set()
    for column in table.columns:
        row = next((row for row in rows if row[column.name] is not None), rows[0])
        report = await _edited(behind, column, row)
        if report is not None and (report.faults, report.notes) == (before.faults, before.notes):
            unseen.add(column.name)
    assert unseen == set(UNCHECKED.get(table.name, ()))

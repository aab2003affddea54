"""`fsck` sees an edit of any column of a log: also of the columns and tables that later releases add."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import JSON, Column, Table, and_, select, update
from sqlalchemy.exc import IntegrityError
from tests.support.deaths import database_of
from tests.support.fsck import check, database_url_of
from tests.support.server import ServerProcess

from modelyard import AsyncClient
from modelyard.core.facts import Dataset, Direction, Parent, Relation, Run
from modelyard_server import log
from modelyard_server.checking.report import Report
from modelyard_server.db.connection import Connection
from modelyard_server.db.engines.factory import create_engine, parse_url
from modelyard_server.db.metadata import Moment

_FAR: Final = 10**6


async def _fill(url: str, folder: Path) -> None:
    """Rows of two namespaces, so that a key can be exchanged for another one that exists."""
    async with AsyncClient(url, cache_dir=folder / "cache") as client:
        for namespace in ("team", "other"):
            about: Any = {"description": "text", "labels": {"a": "b"}, "annotations": {"a": "b"}}
            await client.namespaces.create(namespace, display_name="Us", **about)
            for model in (f"{namespace}/fraud", f"{namespace}/spare"):
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


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A stopped server."""
    folder = tmp_path_factory.mktemp("filled")
    flags = ("--database-url", request.getfixturevalue("postgres").migrated()) if request.param == "postgresql" else ()
    server = ServerProcess(folder, *flags).start()
    try:
        asyncio.run(_fill(server.url, folder))
        assert server.stop() == 0
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
        case str() if not isinstance(column.type, JSON):
            return value + "x"
        case dict():
            return {**value, "x": "x"}
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

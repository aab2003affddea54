"""The schema: what the migrations make is what the tables say, and no other release's schema is worked on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from modelyard_server.db import schema, tables
from modelyard_server.db.engine import Engines, create_engines, parse_url, sqlite_url


@pytest.fixture
async def engines(database_url: str, tmp_path: Path) -> AsyncIterator[Engines]:
    url = sqlite_url(tmp_path / "test.db") if database_url == "sqlite" else parse_url(database_url)
    made = create_engines(url)
    yield made
    await made.dispose()


async def test_migrations_make_what_the_tables_say(engines: Engines) -> None:
    assert await schema.upgrade(engines.writer) == (None, schema.head())

    async with engines.readers.connect() as connection:
        differences = await connection.run_sync(
            lambda plain: compare_metadata(MigrationContext.configure(plain), tables.metadata)
        )
    assert differences == []


async def test_migrating_twice_is_migrating_once(engines: Engines) -> None:
    await schema.upgrade(engines.writer)

    assert await schema.upgrade(engines.writer) == (schema.head(), schema.head())
    await schema.require_current(engines.readers)


async def test_an_empty_database_is_refused_until_it_is_migrated(engines: Engines) -> None:
    with pytest.raises(schema.SchemaError, match="run 'modelyard-server migrate'"):
        await schema.require_current(engines.readers)


async def test_a_newer_schema_is_never_touched(engines: Engines) -> None:
    await schema.upgrade(engines.writer)
    async with engines.writer.begin() as connection:
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    for refused in (schema.upgrade(engines.writer), schema.require_current(engines.readers)):
        with pytest.raises(schema.SchemaError, match="a newer one migrated it"):
            await refused


async def test_sqlite_is_set_to_lose_nothing(tmp_path: Path) -> None:
    engines = create_engines(sqlite_url(tmp_path / "test.db"))
    expected = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    for engine in (engines.readers, engines.writer):
        async with engine.connect() as connection:
            for pragma, value in expected.items():
                assert (await connection.exec_driver_sql(f"PRAGMA {pragma}")).scalar_one() == value
    await engines.dispose()


@pytest.mark.parametrize("url", ["mysql://x/y", "oracle://x/y"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="'sqlite' or 'postgresql'"):
        parse_url(url)

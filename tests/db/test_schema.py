"""The schema: what the migrations make is what the tables say, and no other release's schema is worked on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from tests.support.postgres import Postgres

from modelyard_server import app  # noqa: F401 (it brings all tables)
from modelyard_server.db import schema
from modelyard_server.db.connection import Engine
from modelyard_server.db.engines.factory import create_engine, parse_url, sqlite_url
from modelyard_server.db.metadata import metadata


@pytest.fixture(params=["sqlite", "postgresql"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Engine]:
    """Of an empty database."""
    url = sqlite_url(tmp_path / "test.db")
    if request.param == "postgresql":
        cluster: Postgres = request.getfixturevalue("postgres")
        url = parse_url(cluster.create())
    made = create_engine(url)
    yield made
    await made.dispose()


def _differences(connection: Connection) -> list[object]:
    # What full text is searched in is each dialect's own, and no table that the metadata could describe.
    options = {"include_name": lambda name, *_: not str(name).startswith("model_words")}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


async def test_migrations_create_the_declared_tables(engine: Engine) -> None:
    assert await schema.upgrade(engine) == (None, schema.head())

    assert await engine.inspect(_differences) == []


async def test_migrating_twice_is_migrating_once(engine: Engine) -> None:
    await schema.upgrade(engine)

    assert await schema.upgrade(engine) == (schema.head(), schema.head())
    await schema.require_current(engine)


async def test_an_empty_database_is_refused_until_it_is_migrated(engine: Engine) -> None:
    with pytest.raises(schema.SchemaError, match="Run 'modelyard-server migrate'"):
        await schema.require_current(engine)


async def test_a_newer_schema_is_never_touched(engine: Engine) -> None:
    await schema.upgrade(engine)
    await engine.migrate(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'")))

    for refused in (schema.upgrade(engine), schema.require_current(engine)):
        with pytest.raises(schema.SchemaError, match="A newer release migrated it"):
            await refused


async def test_sqlite_is_set_to_lose_nothing(tmp_path: Path) -> None:
    engine = create_engine(sqlite_url(tmp_path / "test.db"))
    expected = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}

    def pragmas(connection: Connection) -> dict[str, object]:
        return {pragma: connection.scalar(text(f"PRAGMA {pragma}")) for pragma in expected}

    assert await engine.inspect(pragmas) == expected
    assert await engine.migrate(pragmas) == expected
    await engine.dispose()


@pytest.mark.parametrize("url", ["mysql://x/y", "oracle://x/y"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"Unknown database '.*Use postgresql://"):
        parse_url(url)

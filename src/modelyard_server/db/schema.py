"""The version of the schema: migrates older databases, and refuses newer ones."""

from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from modelyard_server import failpoints
from modelyard_server.db.connection import Engine
from modelyard_server.db.faults import explained

Folders = Sequence[Path]
"""Folders of Alembic revisions besides ours, of capabilities outside this package. Theirs follow our newest."""

_MIGRATIONS: Final = Path(__file__).with_name("migrations")
# Any fixed number. With this lock, replicas that start together migrate one after the other.
_LOCK: Final = 0x6D6F64656C79617264


class SchemaError(Exception):
    """The database does not have the schema of this release."""


def _config(folders: Folders, connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    versions = "\n".join(map(str, (_MIGRATIONS / "versions", *folders)))
    config.set_main_option("version_locations", versions.replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


@cache
def _revisions(folders: tuple[Path, ...]) -> ScriptDirectory:
    # Cached: to load all revisions takes as long as to check a small database.
    return ScriptDirectory.from_config(_config(folders))


def head(folders: Folders = ()) -> str:
    """The schema version of this release."""
    newest = _revisions(tuple(folders)).get_current_head()
    assert newest is not None
    return newest


def _current(folders: Folders, connection: Connection) -> str | None:
    current = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in _revisions(tuple(folders)).walk_revisions()}
    if current is not None and current not in known:
        raise SchemaError(
            f"The database has schema {current}, which this release does not know. A newer release"
            f" migrated it. Run that release or a newer one. This release knows schemas up to {head(folders)}."
        )
    return current


def _upgrade(folders: Folders, connection: Connection) -> tuple[str | None, str]:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK % 2**63})
    before, wanted = _current(folders, connection), head(folders)
    if before != wanted:
        failpoints.hit("migration.before")
        command.upgrade(_config(folders, connection), "head")
        failpoints.hit("migration.before_commit")
    return before, wanted


async def version(engine: Engine, folders: Folders = ()) -> str | None:
    """The schema's version; None if the database is empty."""
    async with explained():
        return await engine.inspect(partial(_current, folders))


async def upgrade(engine: Engine, folders: Folders = ()) -> tuple[str | None, str]:
    """Migrates the schema to this release in one transaction. Returns the versions before and after."""
    async with explained():
        versions = await engine.migrate(partial(_upgrade, folders))
    failpoints.hit("migration.after_commit")
    return versions


async def require_current(engine: Engine, folders: Folders = ()) -> None:
    """Raises :class:`SchemaError` if the database does not have the schema of this release."""
    current, wanted = await version(engine, folders), head(folders)
    if current != wanted:
        raise SchemaError(
            f"The database has schema {current or 'none'}, but this release needs {wanted}."
            " Run 'modelyard-server migrate' with the same settings first."
        )

"""The version of the schema: migrates older databases, and refuses newer ones."""

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

_MIGRATIONS: Final = Path(__file__).with_name("migrations")
# Any fixed number. With this lock, replicas that start together migrate one after the other.
_LOCK: Final = 0x6D6F64656C79617264


class SchemaError(Exception):
    """The database does not have the schema of this release."""


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def head() -> str:
    """The schema version of this release."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    assert newest is not None
    return newest


def _current(connection: Connection) -> str | None:
    current = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if current is not None and current not in known:
        raise SchemaError(
            f"The database has schema {current}, which this release does not know. A newer release"
            f" migrated it. Run that release or a newer one. This release knows schemas up to {head()}."
        )
    return current


def _upgrade(connection: Connection) -> tuple[str | None, str]:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK % 2**63})
    before = _current(connection)
    if before != head():
        failpoints.hit("migration.before")
        command.upgrade(_config(connection), "head")
        failpoints.hit("migration.before_commit")
    return before, head()


async def version(engine: Engine) -> str | None:
    """The schema's version; None if the database is empty."""
    async with explained():
        return await engine.inspect(_current)


async def upgrade(engine: Engine) -> tuple[str | None, str]:
    """Migrates the schema to this release in one transaction. Returns the versions before and after."""
    async with explained():
        versions = await engine.migrate(_upgrade)
    failpoints.hit("migration.after_commit")
    return versions


async def require_current(engine: Engine) -> None:
    """Raises :class:`SchemaError` if the database does not have the schema of this release."""
    current = await version(engine)
    if current != head():
        raise SchemaError(
            f"The database has schema {current or 'none'}, but this release needs {head()}."
            " Run 'modelyard-server migrate' with the same settings first."
        )

"""Whether the embedded database is whole. A server on a damaged one would spread the damage, and answer from it."""

from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError, OperationalError

from modelyard_server.db.connection import Engine
from modelyard_server.db.faults import explained


class DatabaseDamagedError(Exception):
    """The database's file is not what was written."""


def _first_fault(connection: Connection) -> str:
    # It reads every page, 0.3 s for half a gigabyte; the full check compares indexes with rows too, and takes 1.3 s.
    return str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one())


async def require_intact(engine: Engine, name: str) -> None:
    """Raises :class:`DatabaseDamagedError` unless the SQLite database, called ``name``, can be read as a whole."""
    async with explained():
        try:
            found = await engine.inspect(_first_fault)
        except OperationalError:  # locked, or on a disk that fails
            raise
        except DatabaseError as error:
            found = str(error.orig)
    if found != "ok":
        raise DatabaseDamagedError(
            f"the database {name} is damaged ({' '.join(found.split())}); nothing was changed. Restore it from a"
            " backup, or save what can still be read with the '.recover' command of the sqlite3 shell"
        )

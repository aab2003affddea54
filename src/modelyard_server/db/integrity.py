"""Checks that the embedded database is intact. A server on a damaged one would give wrong answers and damage more."""

from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError, OperationalError

from modelyard_server.db.connection import Engine
from modelyard_server.db.faults import explained


class DatabaseDamagedError(Exception):
    """The file of the database is damaged."""


def _first_fault(connection: Connection) -> str:
    # The quick check reads every page: 0.3 s for half a gigabyte. The full check compares indexes with rows too: 1.3 s.
    return str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one())


async def require_intact(engine: Engine, name: str) -> None:
    """Raises :class:`DatabaseDamagedError`, which names ``name``, if a page of the SQLite database can't be read."""
    async with explained():
        try:
            found = await engine.inspect(_first_fault)
        except OperationalError:  # locked, or on a failing disk
            raise
        except DatabaseError as error:
            found = str(error.orig)
    if found != "ok":
        raise DatabaseDamagedError(
            f"The database {name} is damaged ({' '.join(found.split())}). Nothing was changed. Restore it from a"
            " backup, or recover the readable part with the '.recover' command of the sqlite3 shell."
        )

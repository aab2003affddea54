"""Converts exceptions of drivers to errors for callers. The text of an exception never reaches a caller."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from modelyard_server.calls.errors import Aborted, RegistryError, ResourceExhausted, Unavailable, storage_full

_RETRIED = {"40001", "40P01"}
# Admin shutdown, crash shutdown, cannot connect now, read-only after a failover, too many connections, and the timeouts
# of statements and transactions.
_DOWN = {"57P01", "57P02", "57P03", "25006", "53300", "57014", "25P03"}
_CONNECTION_LOST = "08"
"""SQLSTATE class of connection errors."""
_FULL = "53100"


class PoolModeError(Exception):
    """A pooler before the database runs in a mode in which the registry can't work. The text says what to configure."""


def _sqlstate(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None) or "")


def is_conflict(error: BaseException) -> bool:
    """Whether the work conflicted with another transaction, so that it may succeed if it starts again.

    A violated unique constraint counts too: the second try sees the other row and raises the right error.
    """
    return isinstance(error, IntegrityError) or (isinstance(error, DBAPIError) and _sqlstate(error) in _RETRIED)


def database_down() -> Unavailable:
    return Unavailable("The registry's database can't be reached. Try again.", reason="BACKEND_DOWN", retry_after=1.0)


def _explain(error: BaseException) -> RegistryError | None:
    """The error for the caller, or None for a bug."""
    if isinstance(error, PoolTimeout):
        return ResourceExhausted(
            "The registry's database has no free connection. Try again.", reason="OVERLOADED", retry_after=1.0
        )
    if isinstance(error, DBAPIError):
        text = str(error.orig).lower()
        if _sqlstate(error) == _FULL or "disk is full" in text:
            return storage_full()
        down = isinstance(error, OperationalError | InterfaceError) and any(
            sign in text for sign in ("locked", "readonly", "disk i/o", "unable to open", "connection", "closed")
        )
        # The file is damaged, or its disk is failing. A retry does not help, but it is not a bug either. The server
        # refuses to start on such a file.
        down |= any(sign in text for sign in ("malformed", "not a database"))
        state = _sqlstate(error)
        if down or error.connection_invalidated or state in _DOWN or state.startswith(_CONNECTION_LOST):
            return database_down()
        return None
    if isinstance(error, OSError | PoolModeError | asyncpg.PostgresConnectionError | asyncpg.CannotConnectNowError):
        return database_down()
    return None


@asynccontextmanager
async def explained() -> AsyncIterator[None]:
    """Converts exceptions of the driver to errors for the caller. Bugs pass unchanged."""
    try:
        yield
    except RegistryError:
        raise
    except Exception as error:
        if is_conflict(error):
            raise Aborted(
                "The change conflicted with other writers on each try. Try again.",
                reason="WRITE_CONFLICT",
                retry_after=0.1,
            ) from error
        if (explained_error := _explain(error)) is not None:
            raise explained_error from error
        raise

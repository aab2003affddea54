"""What a driver's exception means to a caller. Nothing of its text goes any further."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from modelyard_server.calls.errors import Aborted, RegistryError, ResourceExhausted, Unavailable, storage_full

_RETRIED = {"40001", "40P01"}
# Admin shutdown, crash shutdown, cannot connect now, read-only after a failover, too many connections, and a statement
# or a transaction that took too long.
_DOWN = {"57P01", "57P02", "57P03", "25006", "53300", "57014", "25P03"}
_CONNECTION_LOST = "08"
"""The class of what can go wrong with a connection."""
_FULL = "53100"


def _sqlstate(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None) or "")


def is_conflict(error: BaseException) -> bool:
    """Whether the same work, from its start, may succeed: another transaction was in its way.

    A broken unique constraint is one too: the second try sees the other's row and says so properly.
    """
    return isinstance(error, IntegrityError) or (isinstance(error, DBAPIError) and _sqlstate(error) in _RETRIED)


def database_down() -> Unavailable:
    return Unavailable("the registry's database can't be reached; try again", reason="BACKEND_DOWN", retry_after=1.0)


def _explain(error: BaseException) -> RegistryError | None:
    """The error that the caller is told, or None if it is a bug of ours."""
    if isinstance(error, PoolTimeout):
        return ResourceExhausted(
            "the registry's database has no connection free; try again", reason="OVERLOADED", retry_after=1.0
        )
    if isinstance(error, DBAPIError):
        text = str(error.orig).lower()
        if _sqlstate(error) == _FULL or "disk is full" in text:
            return storage_full()
        down = isinstance(error, OperationalError | InterfaceError) and any(
            sign in text for sign in ("locked", "readonly", "disk i/o", "unable to open", "connection", "closed")
        )
        # What a disk reads that is going, as well as a file that was damaged: nothing that another call would mend, but
        # no bug of ours either. A start on such a file is refused.
        down |= any(sign in text for sign in ("malformed", "not a database"))
        state = _sqlstate(error)
        if down or error.connection_invalidated or state in _DOWN or state.startswith(_CONNECTION_LOST):
            return database_down()
        return None
    if isinstance(error, OSError | asyncpg.PostgresConnectionError | asyncpg.CannotConnectNowError):
        return database_down()
    return None


@asynccontextmanager
async def explained() -> AsyncIterator[None]:
    """Turns what a driver raises inside into what a caller is told. Bugs pass as they are."""
    try:
        yield
    except RegistryError:
        raise
    except Exception as error:
        if is_conflict(error):
            raise Aborted(
                "other writers were in the way each time; try again", reason="WRITE_CONFLICT", retry_after=0.1
            ) from error
        if (told := _explain(error)) is not None:
            raise told from error
        raise

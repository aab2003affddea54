"""The interface of a database, independent of its dialect: an engine that runs work on a connection."""

import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, NamedTuple, Protocol, TypeVar, TypeVarTuple, overload

import sqlalchemy
from sqlalchemy import CursorResult, Dialect, Executable
from sqlalchemy.pool import QueuePool
from sqlalchemy.sql.selectable import TypedReturnsRows

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# Other readers can't parse a NaN in JSON.
dumps: Final = partial(json.dumps, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class Connection(Protocol):
    """The operations of a connection that repositories use inside a transaction."""

    @property
    def dialect(self) -> Dialect: ...
    @overload
    async def execute(self, statement: TypedReturnsRows[*Ts], parameters: Any = None, /) -> CursorResult[*Ts]: ...
    @overload
    async def execute(self, statement: Executable, parameters: Any = None, /) -> CursorResult[*tuple[Any, ...]]: ...
    async def scalar(self, statement: Executable, parameters: Any = None, /) -> Any: ...
    async def commit(self) -> None: ...
    async def rollback(self) -> None: ...


class Pool(NamedTuple):
    """Connections of an engine."""

    in_use: int
    size: int
    """Most that it makes."""


def pool_of(engine: sqlalchemy.Engine) -> Pool:
    assert isinstance(engine.pool, QueuePool)
    return Pool(engine.pool.checkedout(), engine.pool.size())


class Engine(Protocol):
    """A database. Runs each unit of work on one connection, in one transaction."""

    async def read(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Runs ``work`` on one snapshot."""
        ...

    async def look(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Like ``read``, for work that finds a few rows by key. It may run without a change of threads."""
        ...

    async def write(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Runs ``work``, and rolls back everything that it has not committed."""
        ...

    async def migrate(self, work: Callable[[sqlalchemy.Connection], T]) -> T:
        """Runs ``work`` on a blocking connection, in one transaction, and commits."""
        ...

    async def inspect(self, work: Callable[[sqlalchemy.Connection], T]) -> T:
        """Runs ``work`` on a blocking connection, read-only."""
        ...

    @property
    def pool(self) -> Pool:
        """Now. May be asked on any thread."""
        ...

    async def dispose(self) -> None: ...

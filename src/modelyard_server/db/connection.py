"""What a database is asked for, whatever its dialect: an engine that runs work on a connection."""

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

# A NaN in JSON would be a fact that other readers can't parse.
dumps: Final = partial(json.dumps, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class Connection(Protocol):
    """What a repository may do with a connection inside a transaction."""

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
    """A database: runs work on a connection of its own, in one transaction."""

    async def read(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """All statements of ``work`` see one snapshot."""
        ...

    async def look(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """The same for work that finds some rows by their keys: where that takes no time, it runs at once."""
        ...

    async def write(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Whatever ``work`` has not committed is rolled back."""
        ...

    async def migrate(self, work: Callable[[sqlalchemy.Connection], T]) -> T:
        """Runs what knows only blocking connections, in one transaction that is committed after it."""
        ...

    async def inspect(self, work: Callable[[sqlalchemy.Connection], T]) -> T:
        """The same for what only reads."""
        ...

    @property
    def pool(self) -> Pool:
        """Now. May be asked on any thread."""
        ...

    async def dispose(self) -> None: ...

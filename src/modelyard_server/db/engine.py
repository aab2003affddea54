"""Databases by their URL, and what the rest of this room asks of them whatever the dialect."""

import json
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar, TypeVarTuple, overload

import sqlalchemy
from sqlalchemy import CursorResult, Dialect, Executable
from sqlalchemy.engine import URL, make_url
from sqlalchemy.sql.selectable import TypedReturnsRows

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_DRIVERS: Final = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}

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

    async def dispose(self) -> None: ...


def parse_url(url: str) -> URL:
    """The URL with the driver that we use; ``ValueError`` if it is for no dialect that we know."""
    parsed = make_url(url)
    dialect = parsed.get_backend_name() if "+" in parsed.drivername else parsed.drivername
    if dialect not in _DRIVERS:
        raise ValueError(f"databases are 'sqlite' or 'postgresql', not {dialect!r}")
    return parsed.set(drivername=_DRIVERS[dialect])


def sqlite_url(path: Path) -> URL:
    return URL.create(_DRIVERS["sqlite"], database=str(path))


def create_engine(url: URL, *, pool_size: int = 10, pool_timeout: float = 2.0, read_only: bool = False) -> Engine:
    """``pool_size`` connections at most; ``pool_timeout`` seconds to wait for one of them.

    With ``read_only`` the database itself refuses to change, or to be made.
    """
    # Imported when needed: they know this module, and a process uses one of them.
    if url.get_backend_name() == "sqlite":
        from modelyard_server.db.sqlite import SqliteEngine  # noqa: PLC0415

        return SqliteEngine(url, readers=min(pool_size, 4), read_only=read_only)
    from modelyard_server.db.postgresql import PostgresqlEngine  # noqa: PLC0415

    return PostgresqlEngine(url, pool_size=pool_size, pool_timeout=pool_timeout, read_only=read_only)

"""Engines per dialect. SQLite: one writer connection and a pool of readers, all in WAL; PostgreSQL: one pool."""

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

# How long a statement waits for a lock that another process holds on the file; milliseconds.
_BUSY_TIMEOUT: Final = 5000
_DRIVERS: Final = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}

# A NaN in JSON would be a fact that other readers can't parse.
_dumps: Final = partial(json.dumps, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True, slots=True)
class Engines:
    """Where reads and where writes go; the same engine on PostgreSQL."""

    readers: AsyncEngine
    writer: AsyncEngine
    single_writer: bool
    """Whether writes must queue for one connection."""

    async def dispose(self) -> None:
        await self.readers.dispose()
        if self.writer is not self.readers:
            await self.writer.dispose()


def parse_url(url: str) -> URL:
    """The URL with the driver that we use; ``ValueError`` if it is for no dialect that we know."""
    parsed = make_url(url)
    dialect = parsed.get_backend_name() if "+" in parsed.drivername else parsed.drivername
    if dialect not in _DRIVERS:
        raise ValueError(f"databases are 'sqlite' or 'postgresql', not {dialect!r}")
    return parsed.set(drivername=_DRIVERS[dialect])


def sqlite_url(path: Path) -> URL:
    return URL.create(_DRIVERS["sqlite"], database=str(path))


def _sqlite(url: URL, *, begin: str, size: int) -> AsyncEngine:
    engine = create_async_engine(
        url,
        json_serializer=_dumps,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=size,
        max_overflow=0,
        connect_args={"timeout": _BUSY_TIMEOUT / 1000},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def connect(connection: Any, _record: object) -> None:
        # The driver would open transactions by rules of its own, and not for reads; we say BEGIN ourselves.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            # NORMAL lost every acknowledged commit of a power cut test; FULL lost none.
            "synchronous=FULL",
            "foreign_keys=ON",
            f"busy_timeout={_BUSY_TIMEOUT}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin_transaction(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def create_engines(url: URL, *, pool_size: int = 10, pool_timeout: float = 2.0) -> Engines:
    """``pool_size`` connections at most; ``pool_timeout`` seconds to wait for one of them."""
    if url.get_backend_name() == "sqlite":
        # IMMEDIATE: a transaction that reads first and writes then would fail at once if another wrote between.
        return Engines(
            readers=_sqlite(url, begin="BEGIN", size=min(pool_size, 4)),
            writer=_sqlite(url, begin="BEGIN IMMEDIATE", size=1),
            single_writer=True,
        )
    engine = create_async_engine(
        url,
        json_serializer=_dumps,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=pool_timeout,
        pool_pre_ping=True,
        isolation_level="READ COMMITTED",
    )
    return Engines(readers=engine, writer=engine, single_writer=False)

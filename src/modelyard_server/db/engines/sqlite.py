"""SQLite in WAL mode, with one writer and several readers. Each unit of work runs in one thread.

SQLite needs 20 µs for a statement. A change of threads and back takes five times as long. Drivers that wrap each call
change threads per statement. Here a unit of work changes threads once, because it waits only for its connection. Work
that only finds a few rows by key changes no threads: 16 clients then got 1,550 answers a second instead of 1,050.
"""

import asyncio
import contextvars
import os
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

import sqlalchemy
import structlog
from sqlalchemy import CursorResult, Dialect, Executable, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import QueuePool

from modelyard_server.db.connection import Connection, Pool, dumps, pool_of
from modelyard_server.db.faults import database_down

T = TypeVar("T")

_log: Final = structlog.get_logger("modelyard.database")
_SYNC_FAILED: Final = {sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC}
_EX_SOFTWARE: Final = 70
# How long a statement waits for another process's lock on the file, in milliseconds.
_BUSY_TIMEOUT_MS: Final = 5000
# Seconds that a writer waits in the queue. It is less than the above, so that writers behind a blocked one fail early.
_QUEUE_SECONDS: Final = 4.0
_PRAGMAS: Final = (
    "journal_mode=WAL",
    # In the power cut test, NORMAL lost every acknowledged commit, and FULL lost none.
    "synchronous=FULL",
    "foreign_keys=ON",
)
_READ_ONLY_PRAGMAS: Final = ("query_only=ON",)


class _InlineConnection:
    """A blocking connection with async methods. They never suspend."""

    def __init__(self, connection: sqlalchemy.Connection) -> None:
        self._connection = connection

    @property
    def dialect(self) -> Dialect:
        return self._connection.dialect

    async def execute(self, statement: Executable, parameters: Any = None, /) -> CursorResult[*tuple[Any, ...]]:
        return self._connection.execute(statement, parameters)

    async def scalar(self, statement: Executable, parameters: Any = None, /) -> Any:
        return self._connection.scalar(statement, parameters)

    async def commit(self) -> None:
        self._connection.commit()

    async def rollback(self) -> None:
        self._connection.rollback()


def _write_unit(engine: sqlalchemy.Engine, work: Callable[[Connection], Awaitable[T]]) -> T:
    try:
        return _run_unit(engine, work)
    except OperationalError as error:
        if getattr(error.orig, "sqlite_errorcode", None) in _SYNC_FAILED:
            # The system has marked the lost pages as clean, so the next fsync would succeed without them. PostgreSQL
            # exits too. Acknowledged commits are in the write-ahead log, from which the next start recovers.
            _log.critical(
                "fsync of the database failed. The server exits. Start it again after the disk is repaired.",
                exc_info=error,
            )
            os._exit(_EX_SOFTWARE)
        raise


def _run_unit(engine: sqlalchemy.Engine, work: Callable[[Connection], Awaitable[T]]) -> T:
    with engine.connect() as connection:
        steps = work(_InlineConnection(connection)).__await__()
        try:
            next(steps)
        except StopIteration as done:
            result: T = done.value
            return result
        steps.throw(RuntimeError("a unit of work waited for something other than its database"))
        raise AssertionError("unreachable")


def _read_only(url: URL) -> URL:
    """The URL of the same database, read-only.

    The last connection that closes merges the write-ahead log into the database, unless it is read-only. A read-only
    connection creates an empty log if there is none. So it is used only if there is a log.
    """
    assert url.database is not None
    path = Path(url.database)
    has_log = path.with_name(f"{path.name}-wal").exists()
    return url.set(database=f"file:{quote(str(path))}", query={"mode": "ro" if has_log else "rw", "uri": "true"})


def _engine(
    url: URL, *, begin: str, size: int, busy_timeout: int = _BUSY_TIMEOUT_MS, pragmas: Sequence[str] = _PRAGMAS
) -> sqlalchemy.Engine:
    engine = sqlalchemy.create_engine(
        url,
        json_serializer=dumps,
        hide_parameters=True,
        poolclass=QueuePool,
        pool_size=size,
        max_overflow=0,
        # One thread at a time uses a connection, but not always the same thread.
        connect_args={"timeout": busy_timeout / 1000, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: object) -> None:
        # The driver's own rules begin no transactions for reads. So we execute BEGIN ourselves.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (*pragmas, f"busy_timeout={busy_timeout}"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: sqlalchemy.Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


class SqliteEngine:
    """See :class:`~modelyard_server.db.connection.Engine`."""

    def __init__(self, url: URL, *, readers: int, read_only: bool) -> None:
        pragmas = _READ_ONLY_PRAGMAS if read_only else _PRAGMAS
        url = _read_only(url) if read_only else url
        self._reader = _engine(url, begin="BEGIN", size=readers, pragmas=pragmas)
        self._looker = _engine(url, begin="BEGIN", size=1, busy_timeout=0, pragmas=pragmas)
        # IMMEDIATE: otherwise a transaction that reads and then writes fails if another one wrote in between.
        self._writer = _engine(url, begin="BEGIN IMMEDIATE", size=1, pragmas=pragmas)
        self._reading = ThreadPoolExecutor(readers, thread_name_prefix="db-read")
        # One thread, so that its queue is also the queue of writers.
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="db-write")

    async def read(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        return await _in_thread(self._reading, _run_unit, self._reader, work)

    async def look(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        try:
            return _run_unit(self._looker, work)
        except OperationalError as error:
            if getattr(error.orig, "sqlite_errorcode", None) != sqlite3.SQLITE_BUSY:
                raise
        return await self.read(work)  # locked by another process: the event loop must not wait

    async def write(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        waiting = self._writing.submit(contextvars.copy_context().run, _write_unit, self._writer, work)
        done = asyncio.wrap_future(waiting)
        await asyncio.wait((done,), timeout=_QUEUE_SECONDS)
        if waiting.cancel():  # only possible before it has begun
            raise database_down()
        return await done

    async def migrate(self, work: Callable[[sqlalchemy.Connection], T]) -> T:
        def run() -> T:
            with self._writer.begin() as connection:
                return work(connection)

        return await _in_thread(self._writing, run)

    async def inspect(self, work: Callable[[sqlalchemy.Connection], T]) -> T:
        def run() -> T:
            with self._reader.connect() as connection:
                return work(connection)

        return await _in_thread(self._reading, run)

    @property
    def pool(self) -> Pool:
        pools = [pool_of(engine) for engine in (self._reader, self._looker, self._writer)]
        return Pool(sum(pool.in_use for pool in pools), sum(pool.size for pool in pools))

    async def dispose(self) -> None:
        await asyncio.to_thread(self._dispose)

    def _dispose(self) -> None:
        for executor, engine in ((self._reading, self._reader), (self._writing, self._writer)):
            executor.shutdown()
            engine.dispose()
        self._looker.dispose()


async def _in_thread(executor: ThreadPoolExecutor, function: Callable[..., T], *arguments: Any) -> T:
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(executor, context.run, function, *arguments)

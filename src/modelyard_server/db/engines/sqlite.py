"""SQLite: one writer and some readers, all in WAL, each unit of work as a whole in one thread.

A statement takes SQLite 20 µs; to change threads for it and back takes five times as long. So it is not statements that
change threads, as with drivers that wrap each call, but units of work, which wait for nothing but their connection.
Those that only find some rows by their keys change none: there were 1,050 answers a second to 16 clients with a thread
for each, and 1,550 without.
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
# How long a statement waits for a lock that another process holds on the file; milliseconds.
_BUSY_TIMEOUT: Final = 5000
# Seconds that a writer waits in line. Less than that: behind one that waits for another process all soon hear of it.
_TURN: Final = 4.0
_PRAGMAS: Final = (
    "journal_mode=WAL",
    # NORMAL lost every acknowledged commit of a power cut test; FULL lost none.
    "synchronous=FULL",
    "foreign_keys=ON",
)
_READ_ONLY_PRAGMAS: Final = ("query_only=ON",)


class _InlineConnection:
    """A blocking connection with the methods of one that waits. None of them ever does."""

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
            # The system has marked the lost pages clean: the next fsync would succeed over a hole. PostgreSQL ends too.
            # What was acknowledged is in the log, from which the next start recovers.
            _log.critical("fsync of the database failed: ending, start again once the disk is sound", exc_info=error)
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
    """The same database, to be left as it is.

    Who closes it last moves its write-ahead log into it, unless they may only read: then the log stays. What may only
    read also leaves an empty log where there was none, and that is why it is not always so opened.
    """
    assert url.database is not None
    path = Path(url.database)
    has_log = path.with_name(f"{path.name}-wal").exists()
    return url.set(database=f"file:{quote(str(path))}", query={"mode": "ro" if has_log else "rw", "uri": "true"})


def _engine(
    url: URL, *, begin: str, size: int, busy_timeout: int = _BUSY_TIMEOUT, pragmas: Sequence[str] = _PRAGMAS
) -> sqlalchemy.Engine:
    engine = sqlalchemy.create_engine(
        url,
        json_serializer=dumps,
        hide_parameters=True,
        poolclass=QueuePool,
        pool_size=size,
        max_overflow=0,
        # One thread at a time uses a connection, but not always the same one.
        connect_args={"timeout": busy_timeout / 1000, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: object) -> None:
        # The driver would open transactions by rules of its own, and not for reads; we say BEGIN ourselves.
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
        # IMMEDIATE: a transaction that reads first and writes then would fail at once if another wrote between.
        self._writer = _engine(url, begin="BEGIN IMMEDIATE", size=1, pragmas=pragmas)
        self._reading = ThreadPoolExecutor(readers, thread_name_prefix="db-read")
        # One thread is also the line in which writers wait.
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="db-write")

    async def read(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        return await _in_thread(self._reading, _run_unit, self._reader, work)

    async def look(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        try:
            return _run_unit(self._looker, work)
        except OperationalError as error:
            if getattr(error.orig, "sqlite_errorcode", None) != sqlite3.SQLITE_BUSY:
                raise
        return await self.read(work)  # another process is at it: who waits for that must not be the event loop

    async def write(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        waiting = self._writing.submit(contextvars.copy_context().run, _write_unit, self._writer, work)
        done = asyncio.wrap_future(waiting)
        await asyncio.wait((done,), timeout=_TURN)
        if waiting.cancel():  # only what has not begun can be
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

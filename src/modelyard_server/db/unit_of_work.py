"""Transactions. No other module begins or ends one."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from itertools import groupby
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy import select

from modelyard_server import failpoints
from modelyard_server.db import tables
from modelyard_server.db.connection import Connection, Engine
from modelyard_server.db.faults import explained, is_conflict

T = TypeVar("T")

_ATTEMPTS: Final = 5
_BACKOFF: Final = 0.01


class Loggable(Protocol):
    """The part of a change that a transaction knows."""

    @property
    def namespace_key(self) -> int:
        """Key of the namespace whose log gets the event."""
        ...


Append = Callable[[Connection, int, Sequence[Any]], Awaitable[None]]
"""Appends the changes of one transaction to the log of one namespace, just before the commit."""


class Transaction:
    """One transaction. It commits if its work returns, and rolls back if its work raises.

    A repository takes it as argument: ``ModelRepository(transaction)``. In a write transaction, a read locks each row
    that the transaction changes later, so that checks of the row still hold at the commit.
    """

    def __init__(self, connection: Connection, append: Append) -> None:
        self.connection = connection
        self._append = append
        self._changes: list[Loggable] = []
        self._discarded = False

    def record(self, change: Loggable) -> None:
        """Adds a change to the log. Its revision is drawn just before the commit, so that revisions follow commits."""
        self._changes.append(change)

    def discard(self) -> None:
        """Rolls back the transaction although its work returns, for ``validate_only``."""
        self._discarded = True

    async def finish(self) -> Collection[int]:
        """Commits. Returns the keys of the namespaces whose logs have new events."""
        if self._discarded:
            await self.connection.rollback()
            return ()
        # Namespaces in the same order everywhere, so that two transactions can't deadlock.
        ordered = sorted(self._changes, key=lambda change: change.namespace_key)
        if ordered:
            failpoints.hit("commit.before_events")
        for namespace_key, changes in groupby(ordered, key=lambda change: change.namespace_key):
            await self._append(self.connection, namespace_key, list(changes))
        failpoints.hit("commit.before_db")
        await self.connection.commit()
        failpoints.hit("commit.after_db")
        return {change.namespace_key for change in ordered}


async def _read_a_row(transaction: Transaction) -> None:
    await transaction.connection.scalar(select(tables.secrets.c.id).limit(1))


Work = Callable[[Transaction], Awaitable[T]]
Listener = Callable[[Collection[int]], None]


class Database:
    """Runs units of work on one database."""

    def __init__(self, engine: Engine, append: Append) -> None:
        self._engine = engine
        self._append = append
        self._running: set[asyncio.Task[Any]] = set()
        self._listeners: list[Listener] = []
        self._large = asyncio.Semaphore(1)

    def listen(self, listener: Listener) -> None:
        """Calls ``listener`` after each commit of this process, with the keys of namespaces with new events."""
        self._listeners.append(listener)

    async def read(self, work: Work[T]) -> T:
        """Runs ``work`` on one consistent snapshot."""
        async with explained():
            return await self._engine.read(lambda connection: work(Transaction(connection, self._append)))

    async def look(self, work: Work[T]) -> T:
        """Like ``read``, for work that finds a few rows by key and reads no lists."""
        async with explained():
            return await self._engine.look(lambda connection: work(Transaction(connection, self._append)))

    async def read_large(self, work: Work[T]) -> T:
        """Like ``read``, for work that turns thousands of rows into objects: one at a time, so that the event loop has
        to share the interpreter with one thread only.
        """
        async with self._large:
            return await self.read(work)

    async def write(self, work: Work[T]) -> T:
        """Runs ``work`` in one transaction. After a conflict with another transaction, it runs ``work`` again.

        If the caller is cancelled, the transaction still runs to its end.
        """
        # After a cancellation, it would be unknown whether the transaction committed.
        task = asyncio.create_task(self._write(work))
        self._running.add(task)
        task.add_done_callback(self._finished)
        return await asyncio.shield(task)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # marks it as retrieved, because the caller may be gone

    async def _write(self, work: Work[T]) -> T:
        async with explained():
            for attempt in range(_ATTEMPTS):
                try:
                    result, changed = await self._engine.write(lambda connection: self._attempt(connection, work))
                except Exception as error:
                    if not is_conflict(error) or attempt == _ATTEMPTS - 1:
                        raise
                else:
                    if changed:
                        for listener in self._listeners:
                            listener(changed)
                    return result
                await asyncio.sleep(_BACKOFF * 2**attempt * (1 + random.random()))  # noqa: S311 (no secret)
        raise AssertionError("unreachable")

    async def probe(self) -> None:
        """Raises ``BACKEND_DOWN`` if the database does not answer a read of one row."""
        await self.read(_read_a_row)

    async def _attempt(self, connection: Connection, work: Work[T]) -> tuple[T, Collection[int]]:
        transaction = Transaction(connection, self._append)
        result = await work(transaction)
        return result, await transaction.finish()

    async def close(self) -> None:
        """Waits for running transactions, then closes all connections."""
        if self._running:
            await asyncio.wait(self._running)
        await self._engine.dispose()

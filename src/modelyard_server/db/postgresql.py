"""PostgreSQL: one pool of connections, in the event loop."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import sqlalchemy
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine

from modelyard_server.db.engine import Connection, dumps

T = TypeVar("T")


class PostgresqlEngine:
    """See :class:`~modelyard_server.db.engine.Engine`."""

    def __init__(self, url: URL, *, pool_size: int, pool_timeout: float) -> None:
        self._writer = create_async_engine(
            url,
            json_serializer=dumps,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=pool_timeout,
            pool_pre_ping=True,
            isolation_level="READ COMMITTED",
        )
        # One snapshot for all statements of a read.
        self._reader = self._writer.execution_options(isolation_level="REPEATABLE READ")

    async def read(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        async with self._reader.connect() as connection:
            return await work(connection)

    async def look(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        return await self.read(work)

    async def write(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        async with self._writer.connect() as connection:
            return await work(connection)

    async def migrate(self, work: Callable[[sqlalchemy.Connection], T]) -> T:
        async with self._writer.begin() as connection:
            return await connection.run_sync(work)

    async def inspect(self, work: Callable[[sqlalchemy.Connection], T]) -> T:
        async with self._reader.connect() as connection:
            return await connection.run_sync(work)

    async def dispose(self) -> None:
        await self._writer.dispose()

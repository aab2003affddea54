"""PostgreSQL: one pool of connections, in the event loop."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, TypeVar

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from modelyard_server.db.connection import Connection, Pool, dumps, pool_of
from modelyard_server.db.faults import database_down

T = TypeVar("T")

# Seconds to connect.
_CONNECT_SECONDS: Final = 5.0
# Seconds for a unit of work, because a rollback may hang too.
_UNIT_SECONDS: Final = 12.0
# Limits in the database. Without them, the locks of a server that vanished would block all others until the system
# closes its connection, after two hours. PostgreSQL 17 can limit whole transactions. Before, only the keepalive detects
# a server that vanished between two messages of one statement.
_SETTINGS: Final = {
    "statement_timeout": "10s",
    "idle_in_transaction_session_timeout": "10s",
    "tcp_keepalives_idle": "5s",
    "tcp_keepalives_interval": "5s",
    "tcp_keepalives_count": "2",
}
_LIMIT_TRANSACTIONS: Final = (
    "SELECT set_config('transaction_timeout', '{limit}', {local})"
    " WHERE current_setting('server_version_num')::int >= 170000"
)


class PostgresqlEngine:
    """See :class:`~modelyard_server.db.connection.Engine`."""

    def __init__(self, url: URL, *, pool_size: int, pool_timeout: float, read_only: bool) -> None:
        settings = _SETTINGS | ({"default_transaction_read_only": "on"} if read_only else {})
        self._writer = create_async_engine(
            url,
            json_serializer=dumps,
            hide_parameters=True,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=pool_timeout,
            pool_pre_ping=True,
            isolation_level="READ COMMITTED",
            connect_args={"timeout": _CONNECT_SECONDS, "server_settings": settings},
        )

        self._connecting = 0

        @event.listens_for(self._writer.sync_engine, "do_connect")
        def do_connect(dialect: sqlalchemy.Dialect, _record: object, args: Any, keywords: Any) -> Any:
            self._connecting += 1
            try:
                return dialect.connect(*args, **keywords)
            finally:
                self._connecting -= 1

        @event.listens_for(self._writer.sync_engine, "connect")
        def connect(connection: Any, _record: object) -> None:
            limit = _LIMIT_TRANSACTIONS.format(limit=f"{_UNIT_SECONDS:.0f}s", local=False)
            connection.run_async(lambda driver: driver.execute(limit))

        # One snapshot for all statements of a read.
        self._reader = self._writer.execution_options(isolation_level="REPEATABLE READ")

    async def read(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        async with asyncio.timeout(_UNIT_SECONDS), self._connected(self._reader) as connection:
            return await work(connection)

    async def look(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        return await self.read(work)

    async def write(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        async with asyncio.timeout(_UNIT_SECONDS), self._connected(self._writer) as connection:
            return await work(connection)

    @asynccontextmanager
    async def _connected(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        """A connection of the pool. If one is still being made when the wait ends, the database is down, not busy."""
        async with AsyncExitStack() as stack:
            try:
                connection = await stack.enter_async_context(engine.connect())
            except PoolTimeout as error:
                if self._connecting:
                    raise database_down() from error
                raise
            yield connection

    async def migrate(self, work: Callable[[sqlalchemy.Connection], T]) -> T:
        async with self._writer.begin() as connection:
            # A migration may rewrite a large table, or wait for another server that does.
            await connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            await connection.exec_driver_sql(_LIMIT_TRANSACTIONS.format(limit=0, local=True))
            return await connection.run_sync(work)

    async def inspect(self, work: Callable[[sqlalchemy.Connection], T]) -> T:
        async with self._reader.connect() as connection:
            return await connection.run_sync(work)

    @property
    def pool(self) -> Pool:
        return pool_of(self._writer.sync_engine)

    async def dispose(self) -> None:
        await self._writer.dispose()

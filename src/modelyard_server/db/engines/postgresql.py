"""PostgreSQL: one pool of connections, in the event loop."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, TypeVar

import sqlalchemy
import structlog
from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from modelyard_server.db.connection import Connection, Pool, dumps, pool_of
from modelyard_server.db.engines import limits
from modelyard_server.db.engines.limits import UNIT_SECONDS, Driver
from modelyard_server.db.engines.pooler import THROUGH_POOLER, is_pooled, require_transactions
from modelyard_server.db.faults import database_down

T = TypeVar("T")

_log: Final = structlog.get_logger("modelyard.database")

# Seconds to connect.
_CONNECT_SECONDS: Final = 5.0
# A pooler accepts connections without having one to the database.
_UNANSWERED: Final = (
    f"The connection was accepted, and not answered for {_CONNECT_SECONDS:.0f} s. If PgBouncer stands before the"
    " database, it may have no connection left: in session mode its default_pool_size must be at least the sum of the"
    " database_pool_size of all servers."
)
# A migration may rewrite a large table, or wait for another server that does.
_UNLIMITED: Final = (
    "SELECT set_config(name, '0', true) FROM pg_settings WHERE name IN ('statement_timeout', 'transaction_timeout')"
)


class PostgresqlEngine:
    """See :class:`~modelyard_server.db.connection.Engine`."""

    def __init__(self, url: URL, *, pool_size: int, pool_timeout: float, read_only: bool) -> None:
        self._writer = create_async_engine(
            url,
            json_serializer=dumps,
            hide_parameters=True,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=pool_timeout,
            pool_pre_ping=True,
            isolation_level="READ COMMITTED",
            execution_options={"postgresql_readonly": True} if read_only else {},
            connect_args={"timeout": _CONNECT_SECONDS},
        )
        self._connecting = 0
        self._pooled = False

        @event.listens_for(self._writer.sync_engine, "do_connect")
        def do_connect(dialect: sqlalchemy.Dialect, _record: object, args: Any, keywords: Any) -> Any:
            self._connecting += 1
            try:
                return self._connect(dialect, args, keywords)
            finally:
                self._connecting -= 1

        # One snapshot for all statements of a read.
        self._reader = self._writer.execution_options(isolation_level="REPEATABLE READ")

    def _connect(self, dialect: sqlalchemy.Dialect, args: Any, keywords: Any) -> Any:
        """A connection of the kind that its way to the database needs."""
        for_pooler = self._pooled  # as the last connection was
        connection = _open(dialect, args, keywords, for_pooler=for_pooler)
        self._pooled = pooled = _ask(connection, is_pooled)
        if pooled and not for_pooler:  # the other way round, a connection for a pooler works without one too
            _log.info("a pooler stands before the database: no setting or prepared statement outlives a transaction")
            connection.close()
            for_pooler = True
            connection = _open(dialect, args, keywords, for_pooler=True)
        _ask(connection, require_transactions if for_pooler else _limit)
        return connection

    async def read(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        async with asyncio.timeout(UNIT_SECONDS), self._connected(self._reader) as connection:
            return await work(connection)

    async def look(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        return await self.read(work)

    async def write(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        async with asyncio.timeout(UNIT_SECONDS), self._connected(self._writer) as connection:
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
            await connection.exec_driver_sql(_UNLIMITED)
            return await connection.run_sync(work)

    async def inspect(self, work: Callable[[sqlalchemy.Connection], T]) -> T:
        async with self._reader.connect() as connection:
            return await connection.run_sync(work)

    @property
    def pool(self) -> Pool:
        return pool_of(self._writer.sync_engine)

    async def dispose(self) -> None:
        await self._writer.dispose()


def _open(dialect: sqlalchemy.Dialect, args: Any, keywords: Any, *, for_pooler: bool) -> Any:
    return dialect.connect(*args, **keywords, **(THROUGH_POOLER if for_pooler else {}))


def _ask(connection: Any, question: Callable[[Driver], Awaitable[T]]) -> T:
    """The answer to a first question on a new connection, which is closed if there is none."""
    try:
        answer: T = connection.run_async(lambda driver: asyncio.wait_for(question(driver), _CONNECT_SECONDS))
    except BaseException as error:
        connection.terminate()
        if isinstance(error, TimeoutError):
            raise TimeoutError(_UNANSWERED) from error
        raise
    return answer


async def _limit(driver: Driver) -> None:
    await driver.execute(limits.of_session(driver))

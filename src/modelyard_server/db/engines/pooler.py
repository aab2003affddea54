"""PostgreSQL behind a pooler, as PgBouncer: how the server finds it, and the connections that work through it.

In transaction mode a pooler runs each transaction on any of its connections to the database. What outlives a
transaction stays behind on one of them, where other clients meet it: settings of a session, and prepared statements.
So a connection through a pooler keeps neither. PostgreSQL prepares each statement anew, which costs one message. The
limits of a transaction go with its BEGIN, which costs none.
"""

from typing import Final

from asyncpg.exceptions import ConnectionDoesNotExistError, ProtocolViolationError

from modelyard_server.db.engines import limits
from modelyard_server.db.engines.limits import Driver
from modelyard_server.db.faults import PoolModeError

# Part of what PgBouncer says of a BEGIN in statement mode.
_STATEMENT_MODE: Final = "statement pooling mode"


# Against what another client of the pooler may have set on the connection to the database, and left behind. A commit
# that is acknowledged must be on the disk; a setting that waits for more than that stays.
_AS_IF_NEW: Final = (
    "SET LOCAL transaction_read_only = off;"
    "SELECT set_config('synchronous_commit', 'on', true)"
    " WHERE current_setting('synchronous_commit') IN ('off', 'local');"
)


class PooledConnection(Driver):
    """A connection through a pooler. It sets its limits in the message that begins a transaction."""

    async def execute(self, query: str, *args: object, timeout: float | None = None) -> str:  # noqa: ASYNC109 (the driver's)
        if query.startswith("BEGIN"):
            query += limits.of_transaction(self)
            if "READ ONLY" not in query:
                query += _AS_IF_NEW
        return await super().execute(query, *args, timeout=timeout)


THROUGH_POOLER: Final = {
    "connection_class": PooledConnection,
    # The caches of the driver and of SQLAlchemy. Without them, no prepared statement gets a name.
    "statement_cache_size": 0,
    "prepared_statement_cache_size": 0,
}
"""Arguments of a connection through a pooler."""


async def is_pooled(driver: Driver) -> bool:
    """Whether a pooler stands before the database, in any mode.

    PostgreSQL tells a new session the id of its process. A pooler tells a number of its own, because it can't know yet
    which processes will serve the session.
    """
    # One message without parameters prepares nothing, and works in all modes.
    return await driver.execute(f"SELECT WHERE pg_backend_pid() = {driver.get_server_pid()}") == "SELECT 0"


async def require_transactions(driver: Driver) -> None:
    """Raises :class:`PoolModeError` if the pooler runs each statement by itself."""
    try:
        await driver.execute("BEGIN;")
        await driver.execute("ROLLBACK;")
    except (ConnectionDoesNotExistError, ProtocolViolationError) as error:
        if _STATEMENT_MODE in str(error):
            raise PoolModeError(
                "PgBouncer runs this database in statement mode, which has no transactions. Set pool_mode = transaction"
                " for it in pgbouncer.ini, and reload PgBouncer."
            ) from error
        raise

"""How long one session of PostgreSQL may keep what others wait for.

Without limits in the database, the locks of a server that vanished would block all others until the system closes its
connection, after two hours.
"""

from typing import TYPE_CHECKING, Any, Final

import asyncpg

if TYPE_CHECKING:
    Driver = asyncpg.Connection[Any]
else:  # it is generic in its stubs only
    Driver = asyncpg.Connection

UNIT_SECONDS: Final = 12.0
"""Seconds for a unit of work, because a rollback may hang too."""
_LIMITS: Final = {"statement_timeout": "10s", "idle_in_transaction_session_timeout": "10s"}
# PostgreSQL 17 can limit whole transactions. Before, only the keepalive detects a server that vanished between two
# messages of one statement.
_LIMITS_SINCE_17: Final = {"transaction_timeout": f"{UNIT_SECONDS:.0f}s"}
_KEEPALIVES: Final = {"tcp_keepalives_idle": "5s", "tcp_keepalives_interval": "5s", "tcp_keepalives_count": "2"}


def of_session(driver: Driver) -> str:
    """The statements that limit a session for as long as it lasts."""
    return _set("SESSION", _limits(driver) | _KEEPALIVES)


def of_transaction(driver: Driver) -> str:
    """The statements that limit the transaction in which they run."""
    return _set("LOCAL", _limits(driver))


def _limits(driver: Driver) -> dict[str, str]:
    return _LIMITS | (_LIMITS_SINCE_17 if driver.get_server_version().major >= 17 else {})


def _set(scope: str, settings: dict[str, str]) -> str:
    return "".join(f"SET {scope} {name} = '{value}';" for name, value in settings.items())

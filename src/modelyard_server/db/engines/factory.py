"""Creates the engine for the URL of a database."""

from pathlib import Path
from typing import Final

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from modelyard_server.db.connection import Engine
from modelyard_server.db.engines.sqlite import SqliteEngine

_DRIVERS: Final = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
_USE: Final = "Use postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or none for the embedded SQLite database."


def parse_url(url: str) -> URL:
    """The URL with our driver. Raises ``ValueError``, without the password, if it is none of a known database."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # the latter for a port that is no number
        raise ValueError(f"It is not the URL of a database. {_USE}") from None
    dialect = parsed.drivername.partition("+")[0]
    if dialect not in _DRIVERS:
        raise ValueError(f"Unknown database {dialect!r}. {_USE}")
    return parsed.set(drivername=_DRIVERS[dialect])


def sqlite_url(path: Path) -> URL:
    return URL.create(_DRIVERS["sqlite"], database=str(path))


def create_engine(url: URL, *, pool_size: int = 10, pool_timeout: float = 2.0, read_only: bool = False) -> Engine:
    """Creates an engine with at most ``pool_size`` connections. A call waits ``pool_timeout`` seconds for one.

    With ``read_only``, the database refuses changes, and is not created.
    """
    if url.get_backend_name() == "sqlite":
        return SqliteEngine(url, readers=min(pool_size, 4), read_only=read_only)
    # SQLAlchemy's asynchronous engine loads all of its ORM: a fifth of the start of a server that has SQLite.
    from modelyard_server.db.engines.postgresql import PostgresqlEngine  # noqa: PLC0415

    return PostgresqlEngine(url, pool_size=pool_size, pool_timeout=pool_timeout, read_only=read_only)

"""Creates the engine for the URL of a database."""

from pathlib import Path
from typing import Final

from sqlalchemy.engine import URL, make_url

from modelyard_server.db.connection import Engine
from modelyard_server.db.engines.sqlite import SqliteEngine

_DRIVERS: Final = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}


def parse_url(url: str) -> URL:
    """The URL with our driver. Raises ``ValueError`` for an unknown dialect."""
    parsed = make_url(url)
    dialect = parsed.get_backend_name() if "+" in parsed.drivername else parsed.drivername
    if dialect not in _DRIVERS:
        raise ValueError(f"Unknown database {dialect!r}. Use 'sqlite' or 'postgresql'.")
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

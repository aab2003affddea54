"""Helpers of repositories: columns of every resource, and statements of bounded length."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import Row
from sqlalchemy.dialects import postgresql, sqlite

from modelyard_server.calls.resource import Resource
from modelyard_server.db.connection import Connection

T = TypeVar("T")

# Well below the limit of PostgreSQL, 32,767 parameters, and the default limit of SQLite.
MAX_BINDS: Final = 500


def batches(values: Iterable[T]) -> Iterator[Sequence[T]]:
    """Splits ``values`` into lists that are short enough for one statement."""
    sequence = list(values)
    for start in range(0, len(sequence), MAX_BINDS):
        yield sequence[start : start + MAX_BINDS]


def insert_for(connection: Connection) -> Any:
    """The INSERT of the dialect, which supports ON CONFLICT. SQLAlchemy has one construct per dialect."""
    return postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert


def common(row: Row[Any]) -> dict[str, Any]:
    return {
        "uid": row.uid,
        "create_time": row.create_time,
        "update_time": row.update_time,
        "row_version": row.row_version,
        "key": row.key,
    }


def common_values(resource: Resource) -> dict[str, Any]:
    return {
        "uid": resource.uid,
        "create_time": resource.create_time,
        "update_time": resource.update_time,
        "row_version": resource.row_version,
    }

"""What repositories share: columns that every resource has, and statements of bounded length."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import Row
from sqlalchemy.dialects import postgresql, sqlite

from modelyard_server.calls.resource import Resource
from modelyard_server.db.connection import Connection

T = TypeVar("T")

# Well below the 32,767 parameters that PostgreSQL takes, and SQLite's default.
MAX_BINDS: Final = 500


def batches(values: Iterable[T]) -> Iterator[Sequence[T]]:
    """``values`` in lists short enough for one statement."""
    sequence = list(values)
    for start in range(0, len(sequence), MAX_BINDS):
        yield sequence[start : start + MAX_BINDS]


def insert_for(connection: Connection) -> Any:
    """The dialect's INSERT with ON CONFLICT: both spell it alike, each with a construct of its own."""
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

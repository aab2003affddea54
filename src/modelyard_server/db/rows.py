"""Rows to records: the columns that several tables share."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import Row, bindparam

from modelyard.core.names import ModelName, NamespaceName
from modelyard_server.db import tables
from modelyard_server.registry.values import Namespace, Resource

T = TypeVar("T")

# Well below the 32,767 parameters that PostgreSQL takes, and SQLite's default.
MAX_BINDS: Final = 500


# Statements of frequent calls are built once: building one takes longer than SQLite takes to run it.
OF_MODEL: Final = (
    tables.namespaces.c.id == bindparam("namespace_id"),
    tables.models.c.id == bindparam("model_id"),
)


def of_model(name: ModelName, **more: Any) -> dict[str, Any]:
    """The parameters of :data:`OF_MODEL`, and ``more``."""
    return {"namespace_id": name.namespace, "model_id": name.model, **more}


def batches(values: Iterable[T]) -> Iterator[Sequence[T]]:
    """``values`` in lists short enough for one statement."""
    sequence = list(values)
    for start in range(0, len(sequence), MAX_BINDS):
        yield sequence[start : start + MAX_BINDS]


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


def namespace(row: Row[Any]) -> Namespace:
    return Namespace(
        **common(row),
        name=NamespaceName(row.id),
        display_name=row.display_name,
        description=row.description,
        labels=row.labels,
        annotations=row.annotations,
    )


def model_name(row: Row[Any]) -> ModelName:
    return ModelName(row.namespace_id, row.model_id)

"""What is listed: the tables and columns behind the fields that a filter may name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, FromClause, Select, Table, case, select

from modelyard_server.db import tables

_MODELS = tables.models.c
_VERSIONS = tables.versions.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Rows whose fields are columns of theirs."""

    table: Table
    columns: Mapping[str, ColumnElement[Any]]
    """By field. An empty text in a column is one that is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject(Columns):
    """A kind of resource. What is not among ``columns`` is looked up in ``texts`` and ``numbers``."""

    texts: Table
    numbers: Table | None
    owner: str
    """The column of ``texts`` and ``numbers`` that holds the resource's key."""
    aliases: Select[Any]
    """Aliases of a row of ``table``, without their ids compared."""
    aliased: ColumnElement[Any]
    """What ``aliases`` tells of the resource."""
    index: FromClause | None = None
    """``texts`` or ``numbers`` by another name, if rows are found by it."""

    @property
    def source(self) -> FromClause:
        """Where the key of a row is read first: what is looked up by it need not wait for the row itself."""
        return self.table if self.index is None else self.index

    @property
    def key(self) -> ColumnElement[Any]:
        return self.source.c["key" if self.index is None else self.owner]


MODELS: Final = Subject(
    table=tables.models,
    columns={
        name: _MODELS[name] for name in ("id", "display_name", "description", "owner", "create_time", "update_time")
    },
    texts=tables.model_texts,
    numbers=None,
    owner="model_key",
    aliases=select(tables.aliases.c.key).where(tables.aliases.c.model_key == _MODELS.key),
    aliased=tables.aliases.c.model_key,
)
VERSIONS: Final = Subject(
    table=tables.versions,
    columns={
        "model": _MODELS.id,
        "number": _VERSIONS.number,
        "state": case((_VERSIONS.delete_time.is_not(None), "DELETED"), else_=_VERSIONS.state),
        "description": _VERSIONS.description,
        "create_time": _VERSIONS.create_time,
        "update_time": _VERSIONS.update_time,
        "total_size_bytes": _VERSIONS.total_size,
        "file_count": _VERSIONS.file_count,
    },
    texts=tables.version_texts,
    numbers=tables.version_numbers,
    owner="version_key",
    aliases=select(tables.aliases.c.key).where(tables.aliases.c.version_key == _VERSIONS.key),
    aliased=tables.aliases.c.version_key,
)
_DEPLOYMENTS = tables.deployments.c
DEPLOYMENTS: Final = Columns(
    table=tables.deployments,
    columns={
        "model": _MODELS.id,
        "version": _VERSIONS.number,
        **{
            name: _DEPLOYMENTS[name]
            for name in (
                *("service", "environment", "instance", "reference", "observed_digest", "created_by"),
                *("create_time", "update_time", "heartbeat_time"),
            )
        },
    },
)
EVENTS: Final = Columns(
    table=tables.events,
    columns={
        name: tables.events.c[name]
        for name in ("revision", "type", "resource", "actor", "reason", "request_id", "time")
    },
)

"""What is listed: the tables and columns behind the fields that a filter may name. Capabilities describe theirs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Rows whose fields are columns of theirs."""

    table: Table
    columns: Mapping[str, ColumnElement[Any]]
    """By field. An empty text in a column is one that is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Related:
    """Texts of a resource that are rows of another table, as the ids of aliases are."""

    text: ColumnElement[str]
    rows: Select[Any]
    """Those of one resource, whose row the query around it names."""
    keys: Select[Any]
    """The keys of resources that have any, joined with ``place``."""
    place: FromClause
    """Has the ``namespace_key`` by which ``keys`` are limited to a namespace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject(Columns):
    """A kind of resource. What is not among ``columns`` is looked up in ``related``, ``texts`` and ``numbers``."""

    texts: Table
    numbers: Table | None
    owner: str
    """The column of ``texts`` and ``numbers`` that holds the resource's key."""
    related: Mapping[str, Related] = field(default_factory=dict)
    """By field."""
    living: Callable[[Select[Any]], Select[Any]] = lambda query: query
    """Joins what rows belong to, and leaves out those of what is deleted."""
    index: FromClause | None = None
    """``texts`` or ``numbers`` by another name, if rows are found by it."""

    @property
    def source(self) -> FromClause:
        """Where the key of a row is read first: what is looked up by it need not wait for the row itself."""
        return self.table if self.index is None else self.index

    @property
    def key(self) -> ColumnElement[Any]:
        return self.source.c["key" if self.index is None else self.owner]

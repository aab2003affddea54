"""The tables and columns behind the fields of a filter. Each capability describes its own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Rows with one column per field."""

    table: Table
    columns: Mapping[str, ColumnElement[Any]]
    """Column by field. An empty text in a column means that the row has no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Related:
    """Texts of a resource in rows of another table, for example the ids of its aliases."""

    text: ColumnElement[str]
    rows: Select[Any]
    """Selects the texts of one resource. The outer query has the row of the resource."""
    keys: Select[Any]
    """Selects the keys of the resources that have any, joined with ``place``."""
    place: FromClause
    """Table with the ``namespace_key`` that limits ``keys`` to a namespace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject(Columns):
    """A kind of resource. Fields that are not in ``columns`` are found in ``related``, ``texts`` and ``numbers``."""

    texts: Table
    numbers: Table | None
    owner: str
    """The column of ``texts`` and ``numbers`` with the key of the resource."""
    related: Mapping[str, Related] = field(default_factory=dict)
    """By field."""
    maps: frozenset[str]
    """Fields with keys that people choose, as ``labels``."""
    living: Callable[[Select[Any]], Select[Any]] = lambda query: query
    """Joins the parents of the rows, and excludes rows of deleted parents."""
    index: FromClause | None = None
    """An alias of ``texts`` or ``numbers``, if rows are found by it."""

    @property
    def source(self) -> FromClause:
        """The table from which the key of a row is read first. Lookups by that key need not read the row itself."""
        return self.table if self.index is None else self.index

    @property
    def key(self) -> ColumnElement[Any]:
        return self.source.c["key" if self.index is None else self.owner]

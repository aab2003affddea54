"""Reads pages of the rows that match a filter, in a sort order, after a position.

The cost of a page must not grow with the number of rows. So a page is read from an index, from the end of the page
before. Two kinds of index can serve a list: the index of its order, and the index of a comparison. The better one is
found by counting the matches of each comparison, up to a bound. If few rows match, they are read and sorted. If many
match, the index of the order finds the first ones soon.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar, cast

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Row,
    Select,
    Table,
    bindparam,
    exists,
    func,
    literal,
    or_,
    select,
    tuple_,
    type_coerce,
)

from modelyard_server.calls.resource import Resource
from modelyard_server.db.connection import Connection
from modelyard_server.db.metadata import Moment
from modelyard_server.db.rows import batches
from modelyard_server.db.weights import weight_of
from modelyard_server.query import terms
from modelyard_server.query.conditions import attribute_condition, condition, tables_of, text_condition
from modelyard_server.query.fitting import Fit
from modelyard_server.query.listing import Listing, Page, Position
from modelyard_server.query.order import Order
from modelyard_server.query.subject import Subject
from modelyard_server.query.syntax import Operator
from modelyard_server.query.terms import Term

Keyed = TypeVar("Keyed", bound=Resource)

MAX_SORTED_ROWS: Final = 2000
"""Up to this number of matching rows are sorted. More are read in the order of an index."""
_CANDIDATES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A query for the list of one parent."""

    subject: Subject
    namespace_key: int
    of_model: int | None = None
    """The key of the model, if only versions of one model are listed."""
    show_deleted: bool
    where: Term | None
    order: Order


@dataclass(frozen=True, slots=True)
class _Source:
    """Rows in order: by ``value``, then by the key of ``subject``."""

    subject: Subject
    found: Select[Any]
    value: ColumnElement[Any]
    descending: bool


@dataclass(frozen=True, slots=True)
class _Few:
    """A term that few rows match, and the keys of those rows."""

    term: Term
    keys: Select[Any]


@dataclass(frozen=True, slots=True)
class Rows:
    """Statements for rows with given keys: one reads them, the other their sizes."""

    rows: Select[Any]
    weights: Select[Any]

    @classmethod
    def of(cls, every: Select[Any], key: ColumnElement[int]) -> "Rows":
        """``every`` selects all rows. ``key`` is the column that they are found by."""
        at = every.where(key.in_(bindparam("keys", expanding=True)))
        weights = at.with_only_columns(key.label("key"), weight_of(every.selected_columns))
        return cls(at, cast("Select[Any]", weights))


async def first_or_next(
    connection: Connection,
    query: Query,
    statements: Rows,
    build: Callable[[Row[Any]], Keyed],
    listing: Listing,
) -> Page[Keyed]:
    """A page of a list. The first one also says which fields nothing has."""
    positions = await page(connection, query, listing.after, listing.size + 1)
    found = await fetch(connection, statements, build, positions, listing)
    if listing.after is not None:
        return found
    return replace(found, unknown_fields=await unknown_fields(connection, query))


async def page(connection: Connection, query: Query, after: Position | None, limit: int) -> list[Position]:
    """The next positions after ``after``."""
    run = _Run(connection, query)
    few = await run.few()
    if query.order.field in query.subject.columns:
        if (by_text := run.by_text(few)) is not None:
            return await run.read(by_text, None, after, limit)
        return await run.read(run.by_column(), few, after, limit)
    # First the rows that have the sort field, then the newest rows without it.
    found: list[Position] = []
    if after is None or after.value is not None:
        found = await run.read(run.by_number(), few, after, limit)
        after = None
    if len(found) < limit:
        rest = await run.read(run.without_number(), few, after, limit - len(found))
        found += [Position(None, each.key) for each in rest]
    return found


async def unknown_fields(connection: Connection, query: Query) -> tuple[str, ...]:
    """The keys of maps in the filter and the order that no resource has: probably they are misspelt.

    Numbers are looked for in the parent of the list, texts in its namespace: each look is one step in an index.
    """
    return await _Run(connection, query).unknown_fields()


async def fetch(
    connection: Connection,
    statements: Rows,
    build: Callable[[Row[Any]], Keyed],
    positions: Sequence[Position],
    listing: Listing,
) -> Page[Keyed]:
    """The rows at the first positions, as many as fit into the page."""
    wanted = [position.key for position in positions[: listing.size]]
    fit = Fit(listing.room)
    while fit.count < len(wanted) and not fit.full:
        keys = wanted[fit.count : fit.count + fit.next()]
        weights = {row.key: row.weight for row in await connection.execute(statements.weights, {"keys": keys})}
        fit.add(weights[key] for key in keys)
    found: dict[int, Keyed] = {}
    for batch in batches(wanted[: fit.count]):
        for row in await connection.execute(statements.rows, {"keys": batch}):
            each = build(row)
            found[each.key] = each
    shown = [found[key] for key in wanted[: fit.count]]
    return Page(shown, positions[: fit.count], more=len(positions) > fit.count, bytes=fit.bytes)


class _Run:
    """One query, on one connection."""

    def __init__(self, connection: Connection, query: Query) -> None:
        self._connection = connection
        self._query = query
        self._subject = query.subject

    # Sources of rows

    def by_text(self, few: _Few | None) -> _Source | None:
        """The index of texts, if it has the requested order and no other index finds fewer rows.

        Its rows need no sorting, for any number of rows.
        """
        order, texts = self._query.order, self._subject.texts.alias("listed")
        if order.field != "create_time" or self._query.of_model is not None:
            return None
        for term in self._conjuncts() if few is None else (few.term,):
            if isinstance(term, terms.Text) and term.exact is not None and self._is_indexed(term):
                found = self._rows(texts).where(self._placed(texts), attribute_condition(term, texts))
                return _Source(replace(self._subject, index=texts), found, texts.c.create_time, order.descending)
        return None

    def by_column(self) -> _Source:
        order = self._query.order
        return _Source(self._subject, self._rows(), self._subject.columns[order.field], order.descending)

    def by_number(self) -> _Source:
        numbers = self._numbers.alias("listed")
        found = self._rows(numbers).where(self._placed(numbers), numbers.c.field == self._query.order.field)
        return _Source(replace(self._subject, index=numbers), found, numbers.c.value, self._query.order.descending)

    def without_number(self) -> _Source:
        numbers, key = self._numbers.c, self._subject.key
        has = exists().where(numbers[self._subject.owner] == key, numbers.field == self._query.order.field)
        found = self._rows().where(~has.correlate(self._subject.table))
        return _Source(self._subject, found, key, descending=True)

    @property
    def _numbers(self) -> Table:
        assert self._subject.numbers is not None
        return self._subject.numbers

    def _rows(self, index: FromClause | None = None) -> Select[Any]:
        """The rows of the parent, found with ``index`` if given."""
        table, query = self._subject.table, select()
        if index is None:
            query = query.select_from(table).where(self._placed(table))
        else:
            query = query.select_from(index).join(table, table.c.key == index.c[self._subject.owner])
        query = self._subject.living(query)
        return query if self._query.show_deleted else query.where(table.c.delete_time.is_(None))

    def _placed(self, table: FromClause) -> ColumnElement[bool]:
        if self._query.of_model is not None and "model_key" in table.c:
            return table.c.model_key == self._query.of_model
        return table.c.namespace_key == self._query.namespace_key

    # Reading

    async def read(self, source: _Source, few: _Few | None, after: Position | None, limit: int) -> list[Position]:
        # Times as integers, because a position has only JSON values.
        raw = BigInteger() if isinstance(source.value.type, Moment) else source.value.type
        value, key = type_coerce(source.value, raw), source.subject.key
        query = source.found.add_columns(value.label("value"), key.label("key"))
        if self._query.of_model is not None:
            query = query.where(self._subject.table.c.model_key == self._query.of_model)
        if few is not None:
            query = query.where(self._subject.key.in_(few.keys))
        if self._query.where is not None:
            query = query.where(condition(self._query.where, source.subject))
        if after is not None:
            place = tuple_(value, key)
            last = tuple_(literal(after.key if after.value is None else after.value, raw), literal(after.key))
            query = query.where(place < last if source.descending else place > last)
        order = (value.desc(), key.desc()) if source.descending else (value, key)
        result = await self._connection.execute(query.order_by(*order).limit(limit))
        return [Position(row.value, row.key) for row in result]

    # What is asked for

    async def unknown_fields(self) -> tuple[str, ...]:
        wanted: dict[str, list[Table]] = {}
        for term in terms.leaves(self._query.where):
            if self._is_of_map(term.field):
                wanted.setdefault(term.field, tables_of(term, self._subject))
        if self._is_of_map(self._query.order.field):
            wanted[self._query.order.field] = [self._numbers]
        if not wanted:
            return ()
        known = (
            or_(*(exists().where(self._placed(table), table.c.field == field) for table in tables))
            for field, tables in wanted.items()
        )
        (row,) = await self._connection.execute(select(*(each.label(f"known_{at}") for at, each in enumerate(known))))
        return tuple(field for field, found in zip(wanted, row, strict=True) if not found)

    def _is_of_map(self, field: str) -> bool:
        name, dot, _ = field.partition(".")
        return bool(dot) and name in self._subject.maps

    # Choosing an index

    async def few(self) -> _Few | None:
        """The comparison with the fewest matches, if those are few."""
        best, fewest = None, MAX_SORTED_ROWS
        for candidate, _ in zip(self._candidates(), range(_CANDIDATES), strict=False):
            bounded = candidate.keys.limit(fewest).subquery()
            count = int(await self._connection.scalar(select(func.count()).select_from(bounded)))
            if count < fewest:
                best, fewest = candidate, max(count, 1)
        return best

    def _candidates(self) -> Iterator[_Few]:
        for term in self._conjuncts():
            related = self._subject.related.get(term.field) if isinstance(term, terms.Text) else None
            if related is not None:
                assert isinstance(term, terms.Text)
                keys = related.keys.where(text_condition(related.text, term), self._placed(related.place))
                yield _Few(term, keys)
            elif isinstance(term, terms.Text | terms.Number) and self._is_indexed(term):
                table = self._subject.texts if isinstance(term, terms.Text) else self._numbers
                found = select(table.c[self._subject.owner])
                yield _Few(term, found.where(self._placed(table), attribute_condition(term, table)))

    def _conjuncts(self) -> tuple[Term, ...]:
        """The terms that every row must match."""
        where = self._query.where
        return where.terms if isinstance(where, terms.All) else (where,) if where is not None else ()

    def _is_indexed(self, term: terms.Text | terms.Number) -> bool:
        """Whether its matches are one range of an index."""
        if term.field in self._subject.columns or term.field in self._subject.related:
            return False
        if isinstance(term, terms.Number):
            return term.operator is not Operator.NOT_EQUAL
        return term.operator is Operator.EQUAL and term.pieces[0] != ""

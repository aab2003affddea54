"""Everything that there is, read page by page: for checks.

Each page is a snapshot of its own. One for all would make a check that reads terabytes hold up, for hours, what a
running database throws away meanwhile.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Row, Select, bindparam, text
from sqlalchemy.exc import DBAPIError

from modelyard_server.db.integrity import DatabaseDamagedError
from modelyard_server.db.unit_of_work import Database, Transaction, Work

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

PAGE: Final = 200
"""Rows that are read at once."""
# What comes of a row whose columns hold something else than the registry writes there.
_UNREADABLE: Final = (ValueError, TypeError, KeyError, AttributeError, OverflowError)


class Unreadable(NamedTuple):
    """A row whose columns don't hold what they are for."""

    key: object
    resource: str


class Every(Generic[T_co]):
    """The statements that read some rows in the order of a key. Its value is in the column ``cursor``."""

    def __init__(
        self, query: Select[Any], key: ColumnElement[Any], build: Callable[[Row[Any]], T_co], table: str
    ) -> None:
        self.build = build
        self.table = table
        self._cursor = key.label("cursor")
        self.first = query.add_columns(self._cursor).order_by(key).limit(PAGE)
        self.next = self.first.where(key > bindparam("after"))
        self.one = self.first.where(key == bindparam("key"))

    def keys(self, page: Select[Any]) -> Select[Any]:
        """Of the rows of ``page``, without anything else of them."""
        return page.with_only_columns(self._cursor, maintain_column_froms=True)


class Inspector:
    """Reads a database for a check, whatever its rows hold."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, work: Work[T]) -> T:
        """Runs ``work`` on one snapshot; :class:`DatabaseDamagedError` if the database can't answer it."""
        try:
            return await self._database.read(work)
        except DBAPIError as error:
            raise DatabaseDamagedError(
                f"the database does not answer as this release's schema says ({error.orig}); nothing was changed"
            ) from error

    async def rows(self, query: Select[Any], parameters: dict[str, Any]) -> Sequence[Row[Any]]:
        async def work(transaction: Transaction) -> Sequence[Row[Any]]:
            return list(await transaction.connection.execute(query, parameters))

        return await self.read(work)

    async def each(self, every: Every[T], **of: Any) -> AsyncGenerator[T | Unreadable, None]:
        """The records of all rows, in the order of their key."""
        page, parameters = every.first, of
        while True:
            try:
                read = await self.rows(page, parameters)
                keys = [row.cursor for row in read]
                found: list[T | Unreadable] = [every.build(row) for row in read]
            except _UNREADABLE:
                keys = [row.cursor for row in await self.rows(every.keys(page), parameters)]
                found = [record for key in keys for record in await self._one(every, key, of)]
            for record in found:
                yield record
            if len(keys) < PAGE:
                return
            page, parameters = every.next, of | {"after": keys[-1]}

    async def _one(self, every: Every[T], key: object, of: dict[str, Any]) -> list[T | Unreadable]:
        """The row with that key, or that it can't be read; nothing if it is gone by now."""
        try:
            return [every.build(row) for row in await self.rows(every.one, of | {"key": key})]
        except _UNREADABLE:
            return [Unreadable(key, "/".join(map(str, (every.table, *of.values(), key))))]

    async def orphans(self) -> list[tuple[str, str, int]]:
        """Two tables, and how many rows of the first name a row of the second that is not there."""
        # PostgreSQL lets no connection break its foreign keys. On SQLite they are each connection's own choice.
        query = text('SELECT "table", parent, count(*) FROM pragma_foreign_key_check GROUP BY 1, 2')

        async def work(transaction: Transaction) -> list[tuple[str, str, int]]:
            if transaction.connection.dialect.name != "sqlite":
                return []
            return [(row[0], row[1], row[2]) for row in await transaction.connection.execute(query)]

        return await self.read(work)

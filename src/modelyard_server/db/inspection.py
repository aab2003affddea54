"""Reads all rows page by page, for checks.

Each page is read on its own snapshot. One snapshot for a check of terabytes would keep a running database from cleaning
up for hours.
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
"""Rows per page."""
# Exceptions from a row whose columns have values that the registry does not write.
_UNREADABLE: Final = (ValueError, TypeError, KeyError, AttributeError, OverflowError)


class Unreadable(NamedTuple):
    """A row whose columns have invalid values."""

    key: object
    resource: str


class Every(Generic[T_co]):
    """Statements that read rows in the order of a key. The key is in the column ``cursor``."""

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
        """Selects only the keys of the rows of ``page``."""
        return page.with_only_columns(self._cursor, maintain_column_froms=True)


class Inspector:
    """Reads a database for a check. It tolerates invalid rows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, work: Work[T]) -> T:
        """Runs ``work`` on one snapshot. Raises :class:`DatabaseDamagedError` if the database can't answer it."""
        try:
            return await self._database.read(work)
        except DBAPIError as error:
            raise DatabaseDamagedError(
                f"The database does not have the schema of this release ({error.orig}). Nothing was changed."
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
        """The row with that key, or an :class:`Unreadable`; nothing if it was deleted meanwhile."""
        try:
            return [every.build(row) for row in await self.rows(every.one, of | {"key": key})]
        except _UNREADABLE:
            return [Unreadable(key, "/".join(map(str, (every.table, *of.values(), key))))]

    async def orphans(self) -> list[tuple[str, str, int]]:
        """Violated foreign keys: the table, the table that it refers to, and the number of rows."""
        # PostgreSQL always enforces foreign keys. SQLite enforces them only for connections that ask for it.
        query = text('SELECT "table", parent, count(*) FROM pragma_foreign_key_check GROUP BY 1, 2')

        async def work(transaction: Transaction) -> list[tuple[str, str, int]]:
            if transaction.connection.dialect.name != "sqlite":
                return []
            return [(row[0], row[1], row[2]) for row in await transaction.connection.execute(query)]

        return await self.read(work)

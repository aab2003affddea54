"""Everything there is, page by page, for who checks it."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from sqlalchemy import Row, Select, bindparam, select, text
from sqlalchemy.exc import DBAPIError

from modelyard_server.blobs.store import BlobKey
from modelyard_server.db import rows, tables
from modelyard_server.db.connection import Connection, Engine
from modelyard_server.db.faults import explained
from modelyard_server.db.integrity import DatabaseDamagedError
from modelyard_server.log import repository as events
from modelyard_server.log.values import Event, LogHead
from modelyard_server.upkeep import forgotten, records
from modelyard_server.upkeep.inventory import (
    AliasRecord,
    DeploymentRecord,
    EvaluationRecord,
    FileRecord,
    HeldBlob,
    ModelRecord,
    NamespaceRecord,
    Unreadable,
    UploadRecord,
    VersionRecord,
    WebhookRecord,
)

T = TypeVar("T")

# What comes of a row whose columns hold something else than the registry writes there.
_UNREADABLE: Final = (ValueError, TypeError, KeyError, AttributeError, OverflowError)
_KNOWN_BLOBS: Final = select(tables.blobs.c.digest, tables.blobs.c.generation).where(
    tables.blobs.c.digest.in_(bindparam("digests", expanding=True))
)
_KNOWN_UPLOADS: Final = select(tables.uploads.c.id).where(tables.uploads.c.id.in_(bindparam("ids", expanding=True)))


class SqlInventory:
    """See :class:`~modelyard_server.upkeep.inventory.Inventory`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def _read(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        try:
            async with explained():
                return await self._engine.read(work)
        except DBAPIError as error:
            raise DatabaseDamagedError(
                f"the database does not answer as this release's schema says ({error.orig}); nothing was changed"
            ) from error

    async def _rows(self, query: Select[Any], parameters: dict[str, Any]) -> Sequence[Row[Any]]:
        async def work(connection: Connection) -> Sequence[Row[Any]]:
            return list(await connection.execute(query, parameters))

        return await self._read(work)

    async def _each(self, every: records.Every[T], **of: Any) -> AsyncGenerator[T | Unreadable, None]:
        page, parameters = every.first, of
        while True:
            try:
                read = await self._rows(page, parameters)
                keys = [row.cursor for row in read]
                found: list[T | Unreadable] = [every.build(row) for row in read]
            except _UNREADABLE:
                keys = [row.cursor for row in await self._rows(every.keys(page), parameters)]
                found = [record for key in keys for record in await self._one(every, key, of)]
            for record in found:
                yield record
            if len(keys) < records.PAGE:
                return
            page, parameters = every.next, of | {"after": keys[-1]}

    async def _one(self, every: records.Every[T], key: object, of: dict[str, Any]) -> list[T | Unreadable]:
        """The row with that key, or that it can't be read; nothing if it is gone by now."""
        try:
            return [every.build(row) for row in await self._rows(every.one, of | {"key": key})]
        except _UNREADABLE:
            return [Unreadable(key, "/".join(map(str, (every.table, *of.values(), key))))]

    async def orphans(self) -> list[tuple[str, str, int]]:
        # PostgreSQL lets no connection break its foreign keys. On SQLite they are each connection's own choice.
        query = text('SELECT "table", parent, count(*) FROM pragma_foreign_key_check GROUP BY 1, 2')

        async def work(connection: Connection) -> list[tuple[str, str, int]]:
            if connection.dialect.name != "sqlite":
                return []
            return [(row[0], row[1], row[2]) for row in await connection.execute(query)]

        return await self._read(work)

    def namespaces(self) -> AsyncGenerator[NamespaceRecord | Unreadable, None]:
        return self._each(records.NAMESPACES)

    def models(self) -> AsyncGenerator[ModelRecord | Unreadable, None]:
        return self._each(records.MODELS)

    def versions(self) -> AsyncGenerator[VersionRecord | Unreadable, None]:
        return self._each(records.VERSIONS)

    def files(self, version_key: int) -> AsyncGenerator[FileRecord | Unreadable, None]:
        return self._each(records.FILES, of_version=version_key)

    def aliases(self) -> AsyncGenerator[AliasRecord | Unreadable, None]:
        return self._each(records.ALIASES)

    def evaluations(self) -> AsyncGenerator[EvaluationRecord | Unreadable, None]:
        return self._each(records.EVALUATIONS)

    def deployments(self) -> AsyncGenerator[DeploymentRecord | Unreadable, None]:
        return self._each(records.DEPLOYMENTS)

    def webhooks(self) -> AsyncGenerator[WebhookRecord | Unreadable, None]:
        return self._each(records.WEBHOOKS)

    def held(self, namespace_key: int) -> AsyncGenerator[HeldBlob | Unreadable, None]:
        return self._each(records.HELD_BLOBS, of_namespace=namespace_key)

    def blobs(self) -> AsyncGenerator[BlobKey | Unreadable, None]:
        return self._each(records.LIVE_BLOBS)

    async def known_blobs(self, keys: Sequence[BlobKey]) -> set[tuple[str, str]]:
        known: set[tuple[str, str]] = set()
        for batch in rows.batches({key.digest for key in keys}):
            found = await self._rows(_KNOWN_BLOBS, {"digests": batch})
            known.update((row.digest, row.generation) for row in found)
        return known

    async def head(self, namespace_key: int) -> LogHead | None:
        return await self._read(partial(events.head, namespace_key=namespace_key))

    def events(self, namespace_key: int) -> AsyncGenerator[Event | Unreadable, None]:
        return self._each(records.EVENTS, of_namespace=namespace_key)

    async def forgotten(self, namespace_key: int) -> AsyncGenerator[str, None]:
        last: int | None = 0
        while last is not None:
            found, last = await self._read(partial(forgotten.page, namespace_key=namespace_key, after=last))
            for name in found:
                yield name

    def uploads(self) -> AsyncGenerator[UploadRecord | Unreadable, None]:
        return self._each(records.UPLOADS)

    async def known_uploads(self, ids: Sequence[str]) -> set[str]:
        return {row.id for row in await self._rows(_KNOWN_UPLOADS, {"ids": ids})}

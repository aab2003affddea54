"""Models, and the numbers of their versions."""

from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Row, Select, String, bindparam, cast, exists, func, insert, select, update

from modelyard.core.names import ModelName
from modelyard_server.db import rows
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.query import pages
from modelyard_server.query.listing import Listing, Page
from modelyard_server.query.order import Order
from modelyard_server.registry.aliases.tables import aliases
from modelyard_server.registry.models import index
from modelyard_server.registry.models.full_text import find as find_words
from modelyard_server.registry.models.subject import SUBJECT
from modelyard_server.registry.models.tables import models
from modelyard_server.registry.models.values import Model
from modelyard_server.registry.namespaces.tables import namespaces
from modelyard_server.registry.rows import OF_MODEL, model_name, of_model
from modelyard_server.registry.versions.tables import versions

_MODELS = models.c

# For example `production:7,canary:8`. Ids of aliases never have a colon or comma.
_ALIASES = (
    select(func.aggregate_strings(aliases.c.id + ":" + cast(versions.c.number, String), ","))
    .join_from(aliases, versions, versions.c.key == aliases.c.version_key)
    .where(aliases.c.model_key == _MODELS.key)
    .correlate(models)
    .scalar_subquery()
    .label("alias_numbers")
)
# Includes deleted ones.
EVERY: Final[Select[Any]] = select(
    models, namespaces.c.id.label("namespace_id"), models.c.id.label("model_id"), _ALIASES
).join_from(models, namespaces)
_FIND = EVERY.where(*OF_MODEL)
_LOCK = _FIND.with_for_update(of=models)
_ROWS: Final = pages.Rows.of(EVERY, _MODELS.key)
_BY_ID: Final = Order("id")
_INSERT = insert(models).returning(_MODELS.key)
_UPDATE = update(models).where(_MODELS.key == bindparam("row_key"))
_IDS_LIKE = (
    select(_MODELS.id)
    .where(_MODELS.namespace_key == bindparam("key"), _MODELS.id >= bindparam("first"), _MODELS.delete_time.is_(None))
    .order_by(_MODELS.id)
    .limit(bindparam("most"))
)
_ALLOCATE = (
    update(models)
    .where(_MODELS.key == bindparam("model_key"))
    .values(last_number=_MODELS.last_number + 1)
    .returning(_MODELS.last_number)
)


def from_row(row: Row[Any]) -> Model:
    return Model(
        **rows.common(row),
        name=model_name(row),
        display_name=row.display_name,
        description=row.description,
        owner=row.owner,
        labels=row.labels,
        annotations=row.annotations,
        delete_time=row.delete_time,
        purge_time=row.purge_time,
        namespace_key=row.namespace_key,
        aliases=_aliases(row.alias_numbers),
    )


def _aliases(text: str | None) -> dict[str, int]:
    pairs = (each.split(":") for each in text.split(",")) if text else ()
    return {alias: int(number) for alias, number in pairs}


def _mutable(model: Model) -> dict[str, Any]:
    return {
        **rows.common_values(model),
        "display_name": model.display_name,
        "description": model.description,
        "owner": model.owner,
        "labels": dict(model.labels),
        "annotations": dict(model.annotations),
        "delete_time": model.delete_time,
        "purge_time": model.purge_time,
    }


class ModelRepository:
    def __init__(self, transaction: Transaction) -> None:
        self._connection = transaction.connection

    async def add(self, model: Model) -> Model:
        values = {"namespace_key": model.namespace_key, "id": model.name.model, "last_number": 0, **_mutable(model)}
        added = replace(model, key=await self._connection.scalar(_INSERT, values))
        await index.add(self._connection, added)
        return added

    async def find(self, name: ModelName, *, lock: bool = False) -> Model | None:
        row = (await self._connection.execute(_LOCK if lock else _FIND, of_model(name))).one_or_none()
        return None if row is None else from_row(row)

    async def update(self, model: Model) -> None:
        await self._connection.execute(_UPDATE, {"row_key": model.key, **_mutable(model)})
        await index.update(self._connection, model)

    async def page(self, namespace_key: int, listing: Listing) -> Page[Model]:
        query = pages.Query(
            subject=SUBJECT,
            namespace_key=namespace_key,
            show_deleted=listing.show_deleted,
            where=listing.where,
            order=listing.order or _BY_ID,
        )
        return await pages.first_or_next(self._connection, query, _ROWS, from_row, listing)

    async def ids_like(self, namespace_key: int, id_: str, *, limit: int) -> list[str]:
        """Ids of living models that begin like ``id_``, in their order."""
        first = {"key": namespace_key, "first": id_[:1], "most": limit}
        return [row.id for row in await self._connection.execute(_IDS_LIKE, first)]

    async def search(self, namespace_key: int | None, words: list[str], listing: Listing) -> Page[Model]:
        """In all namespaces if ``namespace_key`` is None."""
        limit = listing.size + 1
        matches = await find_words(self._connection, namespace_key, words, after=listing.after, limit=limit)
        return await pages.fetch(self._connection, _ROWS, from_row, matches, listing)

    async def some(self, namespace_key: int, limit: int) -> list[Model]:
        """A few models of a namespace, also soft-deleted ones."""
        query = EVERY.where(_MODELS.namespace_key == namespace_key).order_by(_MODELS.id).limit(limit)
        return [from_row(row) for row in await self._connection.execute(query)]

    async def has_versions(self, key: int) -> bool:
        live = exists().where(versions.c.model_key == key, versions.c.delete_time.is_(None))
        return bool(await self._connection.scalar(select(live)))

    async def allocate_number(self, key: int) -> int:
        return int((await self._connection.execute(_ALLOCATE, {"model_key": key})).scalar_one())

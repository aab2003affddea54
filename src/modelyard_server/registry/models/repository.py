"""Models, and the numbers of their versions."""

from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Row, Select, String, bindparam, cast, exists, func, insert, select, update

from modelyard.core.names import ModelName
from modelyard_server.db import rows, tables
from modelyard_server.db.connection import Connection
from modelyard_server.query import pages
from modelyard_server.query.listing import Listed, Listing
from modelyard_server.query.order import Order
from modelyard_server.query.subject import MODELS
from modelyard_server.registry import index as attributes
from modelyard_server.registry.models.full_text import find as find_words
from modelyard_server.registry.values import Model

_MODELS = tables.models.c

# As `production:7,canary:8`: ids of aliases hold neither of these characters.
_ALIASES = (
    select(func.aggregate_strings(tables.aliases.c.id + ":" + cast(tables.versions.c.number, String), ","))
    .join_from(tables.aliases, tables.versions, tables.versions.c.key == tables.aliases.c.version_key)
    .where(tables.aliases.c.model_key == _MODELS.key)
    .correlate(tables.models)
    .scalar_subquery()
    .label("alias_numbers")
)
# Deleted ones too.
EVERY: Final[Select[Any]] = select(
    tables.models, tables.namespaces.c.id.label("namespace_id"), tables.models.c.id.label("model_id"), _ALIASES
).join_from(tables.models, tables.namespaces)
_FIND = EVERY.where(*rows.OF_MODEL)
_LOCK = _FIND.with_for_update(of=tables.models)
_WITH_KEYS = EVERY.where(_MODELS.key.in_(bindparam("keys", expanding=True)))
_BY_ID: Final = Order("id")
_INSERT = insert(tables.models).returning(_MODELS.key)
_UPDATE = update(tables.models).where(_MODELS.key == bindparam("row_key"))
_ALLOCATE = (
    update(tables.models)
    .where(_MODELS.key == bindparam("model_key"))
    .values(last_number=_MODELS.last_number + 1)
    .returning(_MODELS.last_number)
)


def from_row(row: Row[Any]) -> Model:
    return Model(
        **rows.common(row),
        name=rows.model_name(row),
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


def _aliases(told: str | None) -> dict[str, int]:
    pairs = (each.split(":") for each in told.split(",")) if told else ()
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


class SqlModels:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, model: Model) -> Model:
        values = {"namespace_key": model.namespace_key, "id": model.name.model, "last_number": 0, **_mutable(model)}
        added = replace(model, key=await self._connection.scalar(_INSERT, values))
        await attributes.add_model(self._connection, added)
        return added

    async def find(self, name: ModelName, *, lock: bool = False) -> Model | None:
        row = (await self._connection.execute(_LOCK if lock else _FIND, rows.of_model(name))).one_or_none()
        return None if row is None else from_row(row)

    async def update(self, model: Model) -> None:
        await self._connection.execute(_UPDATE, {"row_key": model.key, **_mutable(model)})
        await attributes.update_model(self._connection, model)

    async def page(self, namespace_key: int, listing: Listing) -> Listed[Model]:
        query = pages.Query(
            subject=MODELS,
            namespace_key=namespace_key,
            show_deleted=listing.show_deleted,
            where=listing.where,
            order=listing.order or _BY_ID,
        )
        positions = await pages.page(self._connection, query, listing.after, listing.size + 1)
        return await pages.fetch(self._connection, _WITH_KEYS, from_row, positions, listing.size)

    async def search(self, namespace_key: int, words: list[str], listing: Listing) -> Listed[Model]:
        limit = listing.size + 1
        matches = await find_words(self._connection, namespace_key, words, after=listing.after, limit=limit)
        page = matches[: listing.size]
        found: dict[int, Model] = {}
        for batch in rows.batches([match.key for match in page]):
            result = await self._connection.execute(_WITH_KEYS, {"keys": batch})
            found.update((model.key, model) for model in map(from_row, result))
        return Listed([found[match.key] for match in page], page, more=len(matches) > listing.size)

    async def has_versions(self, key: int) -> bool:
        live = exists().where(tables.versions.c.model_key == key, tables.versions.c.delete_time.is_(None))
        return bool(await self._connection.scalar(select(live)))

    async def allocate_number(self, key: int) -> int:
        return int((await self._connection.execute(_ALLOCATE, {"model_key": key})).scalar_one())

"""Aliases."""

from dataclasses import replace
from typing import Any

from sqlalchemy import Row, Select, bindparam, delete, func, insert, select, update

from modelyard.core.names import AliasName, ModelName, VersionName
from modelyard_server.db import rows
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.registry.aliases.tables import aliases
from modelyard_server.registry.aliases.values import Alias
from modelyard_server.registry.models.tables import models
from modelyard_server.registry.namespaces.tables import namespaces
from modelyard_server.registry.rows import OF_MODEL, model_name, of_model
from modelyard_server.registry.versions import repository as version_rows
from modelyard_server.registry.versions.tables import versions
from modelyard_server.registry.versions.values import Version

_ALIASES = aliases.c


# Aliases of models that are not deleted.
_SELECT: Select[Any] = (
    select(
        aliases,
        namespaces.c.id.label("namespace_id"),
        models.c.id.label("model_id"),
        versions.c.number,
        versions.c.manifest_digest,
    )
    .join_from(aliases, models)
    .join(namespaces)
    .join(versions, versions.c.key == _ALIASES.version_key)
    .where(models.c.delete_time.is_(None))
)
_FIND = _SELECT.where(*OF_MODEL, _ALIASES.id == bindparam("alias_id"))
# Lock first, then read: a statement that waits for the lock would join versions from before the wait.
_LOCK = _FIND.with_only_columns(_ALIASES.key).with_for_update(of=aliases)
# A version of a model, with the alias that points to it.
_FOLLOW = (
    version_rows.LIVING.where(*OF_MODEL)
    .add_columns(*(column.label(f"alias_{column.name}") for column in aliases.c))
    .join(aliases, aliases.c.version_key == versions.c.key)
    .where(aliases.c.id == bindparam("alias_id"))
)
_IDS = (
    select(_ALIASES.id)
    .join_from(aliases, models)
    .join(namespaces)
    .where(*OF_MODEL)
    .order_by(_ALIASES.id)
    .limit(bindparam("most"))
)
_INSERT = insert(aliases).returning(_ALIASES.key)
_UPDATE = update(aliases).where(_ALIASES.key == bindparam("row_key"))


def from_row(row: Row[Any]) -> Alias:
    """An alias from the columns that are selected here."""
    model = model_name(row)
    return Alias(
        **rows.common(row),
        name=AliasName(model, row.id),
        version=VersionName(model, row.number),
        manifest_digest=row.manifest_digest,
        updated_by=row.updated_by,
        version_key=row.version_key,
    )


def _mutable(alias: Alias) -> dict[str, Any]:
    return {**rows.common_values(alias), "version_key": alias.version_key, "updated_by": alias.updated_by}


class AliasRepository:
    def __init__(self, transaction: Transaction) -> None:
        self._connection = transaction.connection

    async def ids(self, model: ModelName, *, limit: int) -> list[str]:
        """The ids of a model's aliases, in their order."""
        return [row.id for row in await self._connection.execute(_IDS, of_model(model, most=limit))]

    async def add(self, alias: Alias, model_key: int) -> Alias:
        values = {"model_key": model_key, "id": alias.name.alias, **_mutable(alias)}
        key = await self._connection.scalar(_INSERT, values)
        return replace(alias, key=key)

    async def count(self, model_key: int) -> int:
        found = select(func.count()).where(_ALIASES.model_key == model_key)
        return int(await self._connection.scalar(found))

    async def find(self, name: AliasName, *, lock: bool = False) -> Alias | None:
        parameters = of_model(name.model, alias_id=name.alias)
        if lock:
            await self._connection.execute(_LOCK, parameters)
        row = (await self._connection.execute(_FIND, parameters)).one_or_none()
        return None if row is None else from_row(row)

    async def follow(self, name: AliasName) -> tuple[Version, Alias] | None:
        """An alias and the version that it points to."""
        parameters = of_model(name.model, alias_id=name.alias)
        row = (await self._connection.execute(_FOLLOW, parameters)).one_or_none()
        if row is None:
            return None
        version = version_rows.from_row(row)
        alias = Alias(
            uid=row.alias_uid,
            create_time=row.alias_create_time,
            update_time=row.alias_update_time,
            row_version=row.alias_row_version,
            key=row.alias_key,
            name=name,
            version=version.name,
            manifest_digest=version.manifest_digest,
            updated_by=row.alias_updated_by,
            version_key=version.key,
        )
        return version, alias

    async def update(self, alias: Alias) -> None:
        await self._connection.execute(_UPDATE, {"row_key": alias.key, **_mutable(alias)})

    async def remove(self, alias: Alias) -> None:
        await self._connection.execute(delete(aliases).where(_ALIASES.key == alias.key))

    async def page(self, model_key: int, *, after: str, limit: int) -> list[Alias]:
        query = _SELECT.where(_ALIASES.model_key == model_key, _ALIASES.id > after)
        return [from_row(row) for row in await self._connection.execute(query.order_by(_ALIASES.id).limit(limit))]

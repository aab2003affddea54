"""Aliases."""

from dataclasses import replace
from typing import Any

from sqlalchemy import Row, Select, bindparam, delete, insert, select, update

from modelyard.core.names import AliasName, VersionName
from modelyard_server.db import rows, tables
from modelyard_server.db.connection import Connection
from modelyard_server.registry.values import Alias

_ALIASES = tables.aliases.c


# Aliases of models that are not deleted.
_SELECT: Select[Any] = (
    select(
        tables.aliases,
        tables.namespaces.c.id.label("namespace_id"),
        tables.models.c.id.label("model_id"),
        tables.versions.c.number,
        tables.versions.c.manifest_digest,
    )
    .join_from(tables.aliases, tables.models)
    .join(tables.namespaces)
    .join(tables.versions, tables.versions.c.key == _ALIASES.version_key)
    .where(tables.models.c.delete_time.is_(None))
)
_FIND = _SELECT.where(*rows.OF_MODEL, _ALIASES.id == bindparam("alias_id"))
# Locked first and read then: a statement that waited for the lock would join versions of before its wait.
_LOCK = _FIND.with_only_columns(_ALIASES.key).with_for_update(of=tables.aliases)
_INSERT = insert(tables.aliases).returning(_ALIASES.key)
_UPDATE = update(tables.aliases).where(_ALIASES.key == bindparam("row_key"))


def from_row(row: Row[Any]) -> Alias:
    """An alias, of the columns that are selected here."""
    model = rows.model_name(row)
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


class SqlAliases:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, alias: Alias, model_key: int) -> Alias:
        values = {"model_key": model_key, "id": alias.name.alias, **_mutable(alias)}
        key = await self._connection.scalar(_INSERT, values)
        return replace(alias, key=key)

    async def find(self, name: AliasName, *, lock: bool = False) -> Alias | None:
        parameters = rows.of_model(name.model, alias_id=name.alias)
        if lock:
            await self._connection.execute(_LOCK, parameters)
        row = (await self._connection.execute(_FIND, parameters)).one_or_none()
        return None if row is None else from_row(row)

    async def update(self, alias: Alias) -> None:
        await self._connection.execute(_UPDATE, {"row_key": alias.key, **_mutable(alias)})

    async def remove(self, alias: Alias) -> None:
        await self._connection.execute(delete(tables.aliases).where(_ALIASES.key == alias.key))

    async def page(self, model_key: int, *, after: str, limit: int) -> list[Alias]:
        query = _SELECT.where(_ALIASES.model_key == model_key, _ALIASES.id > after)
        return [from_row(row) for row in await self._connection.execute(query.order_by(_ALIASES.id).limit(limit))]

"""Models, and the numbers of their versions."""

from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Row, Select, bindparam, exists, insert, select, update

from modelyard.names import ModelName
from modelyard_server.db import rows, tables
from modelyard_server.db.engine import Connection
from modelyard_server.domain.resources import Model

_MODELS = tables.models.c

# Deleted ones too.
EVERY: Final[Select[Any]] = select(
    tables.models, tables.namespaces.c.id.label("namespace_id"), tables.models.c.id.label("model_id")
).join_from(tables.models, tables.namespaces)
_FIND = EVERY.where(*rows.OF_MODEL)
_LOCK = _FIND.with_for_update(of=tables.models)
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
    )


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
        key = await self._connection.scalar(_INSERT, values)
        return replace(model, key=key)

    async def find(self, name: ModelName, *, lock: bool = False) -> Model | None:
        row = (await self._connection.execute(_LOCK if lock else _FIND, rows.of_model(name))).one_or_none()
        return None if row is None else from_row(row)

    async def update(self, model: Model) -> None:
        await self._connection.execute(_UPDATE, {"row_key": model.key, **_mutable(model)})

    async def page(self, namespace_key: int, *, after: str, limit: int, show_deleted: bool) -> list[Model]:
        query = EVERY.where(_MODELS.namespace_key == namespace_key, _MODELS.id > after)
        if not show_deleted:
            query = query.where(_MODELS.delete_time.is_(None))
        return [from_row(row) for row in await self._connection.execute(query.order_by(_MODELS.id).limit(limit))]

    async def has_versions(self, key: int) -> bool:
        live = exists().where(tables.versions.c.model_key == key, tables.versions.c.delete_time.is_(None))
        return bool(await self._connection.scalar(select(live)))

    async def allocate_number(self, key: int) -> int:
        return int((await self._connection.execute(_ALLOCATE, {"model_key": key})).scalar_one())

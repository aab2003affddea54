"""Namespaces and the heads of their logs."""

from dataclasses import replace
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from modelyard.core.names import NamespaceName
from modelyard_server.db import rows, tables
from modelyard_server.db.connection import Connection
from modelyard_server.log.values import GENESIS
from modelyard_server.registry.values import Namespace

_FIND = select(tables.namespaces).where(tables.namespaces.c.id == bindparam("namespace_id"))
# Not the key too: each event that is written looks at that, with the head of the log locked.
_LOCK = _FIND.with_for_update(key_share=True)
_REVISION = (
    select(tables.log_heads.c.revision)
    .join(tables.namespaces)
    .where(tables.namespaces.c.id == bindparam("namespace_id"))
)


_FRESH_LOG = {"revision": 0, "hash": GENESIS, "floor": 0, "floor_hash": GENESIS}


def _mutable(namespace: Namespace) -> dict[str, Any]:
    return {
        **rows.common_values(namespace),
        "display_name": namespace.display_name,
        "description": namespace.description,
        "labels": dict(namespace.labels),
        "annotations": dict(namespace.annotations),
    }


class SqlNamespaces:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, namespace: Namespace) -> Namespace:
        key = await self._connection.scalar(
            insert(tables.namespaces)
            .values(id=namespace.name.namespace, **_mutable(namespace))
            .returning(tables.namespaces.c.key)
        )
        await self._connection.execute(insert(tables.log_heads).values(_FRESH_LOG | {"namespace_key": key}))
        return replace(namespace, key=key)

    async def find(self, name: NamespaceName, *, lock: bool = False) -> Namespace | None:
        parameters = {"namespace_id": name.namespace}
        row = (await self._connection.execute(_LOCK if lock else _FIND, parameters)).one_or_none()
        return None if row is None else rows.namespace(row)

    async def update(self, namespace: Namespace) -> None:
        await self._connection.execute(
            update(tables.namespaces).where(tables.namespaces.c.key == namespace.key).values(**_mutable(namespace))
        )

    async def page(self, *, after: str, limit: int) -> list[Namespace]:
        query = (
            select(tables.namespaces)
            .where(tables.namespaces.c.id > after)
            .order_by(tables.namespaces.c.id)
            .limit(limit)
        )
        return [rows.namespace(row) for row in await self._connection.execute(query)]

    async def revision(self, name: NamespaceName) -> int | None:
        found = await self._connection.scalar(_REVISION, {"namespace_id": name.namespace})
        return None if found is None else int(found)

"""Namespaces."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Row, bindparam, insert, select, update

from modelyard.core.names import NamespaceName
from modelyard_server.calls.page_tokens import Cursor
from modelyard_server.db import rows
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.db.weights import weight_of
from modelyard_server.log.repository import EventRepository
from modelyard_server.query.fitting import Weighed, read_page
from modelyard_server.query.listing import Page
from modelyard_server.registry.namespaces.tables import namespaces
from modelyard_server.registry.namespaces.values import Namespace

_FIND = select(namespaces).where(namespaces.c.id == bindparam("namespace_id"))
# Does not lock the key: each new event reads it while it has the head of the log locked.
_LOCK = _FIND.with_for_update(key_share=True)
# Lets others hold it too, and lets nobody who locks it go on: what is made in a namespace finds it still there.
_HOLD = _FIND.with_for_update(read=True)
_WEIGHTS: Final = select(namespaces.c.id, weight_of(namespaces.columns)).order_by(namespaces.c.id)
_AT = select(namespaces).where(namespaces.c.id.in_(bindparam("ids", expanding=True))).order_by(namespaces.c.id)


def from_row(row: Row[Any]) -> Namespace:
    return Namespace(
        **rows.common(row),
        name=NamespaceName(row.id),
        display_name=row.display_name,
        description=row.description,
        labels=row.labels,
        annotations=row.annotations,
        delete_time=row.delete_time,
    )


def _mutable(namespace: Namespace) -> dict[str, Any]:
    return {
        **rows.common_values(namespace),
        "display_name": namespace.display_name,
        "description": namespace.description,
        "labels": dict(namespace.labels),
        "annotations": dict(namespace.annotations),
        "delete_time": namespace.delete_time,
    }


class NamespaceRepository:
    def __init__(self, transaction: Transaction) -> None:
        self._connection = transaction.connection
        self._events = EventRepository(transaction)

    async def add(self, namespace: Namespace) -> Namespace:
        key = await self._connection.scalar(
            insert(namespaces).values(id=namespace.name.namespace, **_mutable(namespace)).returning(namespaces.c.key)
        )
        await self._events.begin(namespace.name, key)
        return replace(namespace, key=key)

    async def find(self, name: NamespaceName, *, lock: bool = False, hold: bool = False) -> Namespace | None:
        query = _LOCK if lock else _HOLD if hold else _FIND
        row = (await self._connection.execute(query, {"namespace_id": name.namespace})).one_or_none()
        return None if row is None else from_row(row)

    async def update(self, namespace: Namespace) -> None:
        await self._connection.execute(
            update(namespaces).where(namespaces.c.key == namespace.key).values(**_mutable(namespace))
        )

    async def page(self, *, after: str, size: int, room: int, show_deleted: bool) -> Page[Namespace]:
        """The next namespaces, in the order of their ids."""
        return await read_page(
            lambda after, limit: self._weigh(after, limit, show_deleted=show_deleted),
            self._at,
            after=after,
            size=size,
            room=room,
        )

    async def _weigh(self, after: Cursor | None, limit: int, *, show_deleted: bool) -> list[Weighed]:
        query = _WEIGHTS.where(namespaces.c.id > after).limit(limit)
        if not show_deleted:
            query = query.where(namespaces.c.delete_time.is_(None))
        return [Weighed(*row) for row in await self._connection.execute(query)]

    async def _at(self, ids: Sequence[Cursor]) -> list[Namespace]:
        return [
            from_row(row) for batch in rows.batches(ids) for row in await self._connection.execute(_AT, {"ids": batch})
        ]

"""The log of each namespace: gap-free revisions, chained by hash."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, bindparam, delete, exists, insert, or_, select, update

from modelyard.core.names import AliasName, ModelName, NamespaceName, VersionName
from modelyard_server.db import tables
from modelyard_server.db.connection import Connection
from modelyard_server.log.values import Change, Event, LogHead, Place, event_hash
from modelyard_server.query.conditions import condition
from modelyard_server.query.listing import EventListing
from modelyard_server.query.subject import EVENTS
from modelyard_server.registry.values import DeliveryState
from modelyard_server.webhooks.values import Heading

_HEADS = tables.log_heads.c
_EVENTS = tables.events.c
_OF_NAMESPACE = _HEADS.namespace_key == bindparam("of_namespace")
_HEAD = select(tables.log_heads).where(_OF_NAMESPACE)
_HEAD_OF = select(tables.log_heads).join(tables.namespaces).where(tables.namespaces.c.id == bindparam("namespace_id"))
_LOCK = select(_HEADS.revision, _HEADS.hash).where(_OF_NAMESPACE).with_for_update()
_MOVE = update(tables.log_heads).where(_OF_NAMESPACE)
_INSERT = insert(tables.events)
_MODELS: Final = "/models/"
_DELIVERIES = tables.webhook_deliveries.c
# By a webhook that does not know of it yet, or that is still to be told.
_AWAITED: Final = or_(
    exists().where(
        tables.webhooks.c.namespace_key == _EVENTS.namespace_key,
        tables.webhooks.c.disabled.is_(False),
        tables.webhooks.c.queued_revision < _EVENTS.revision,
    ),
    exists().where(
        _DELIVERIES.namespace_key == _EVENTS.namespace_key,
        _DELIVERIES.revision == _EVENTS.revision,
        _DELIVERIES.state == DeliveryState.PENDING.value,
    ),
)


def from_row(row: Row[Any]) -> Event:
    change = Change(
        namespace_key=row.namespace_key,
        type=row.type,
        resource=row.resource,
        actor=row.actor,
        request_id=row.request_id,
        reason=row.reason,
        time=row.time,
        changes=row.changes,
        snapshot=row.snapshot,
    )
    return Event(row.revision, change, row.previous_hash, row.hash)


def _head(row: Row[Any] | None) -> LogHead | None:
    return None if row is None else LogHead(row.namespace_key, row.revision, row.hash, row.floor, row.floor_hash)


async def head(connection: Connection, *, namespace_key: int) -> LogHead | None:
    return _head((await connection.execute(_HEAD, {"of_namespace": namespace_key})).one_or_none())


async def append(connection: Connection, namespace_key: int, changes: Sequence[Change]) -> None:
    """Gives the changes of one transaction their revisions. Its lock on the head lasts until the commit: call it last.

    A number drawn earlier could become visible after a higher one, and a reader that tails the log would miss it.
    """
    row = (await connection.execute(_LOCK, {"of_namespace": namespace_key})).one()
    revision, previous = row.revision, row.hash
    values = []
    for change in changes:
        revision += 1
        digest = event_hash(previous, revision, change)
        values.append(
            {
                "namespace_key": namespace_key,
                "revision": revision,
                "type": change.type,
                "resource": change.resource,
                "model_id": _model_of(change.resource),
                "actor": change.actor,
                "request_id": change.request_id,
                "reason": change.reason,
                "time": change.time,
                "changes": change.changes,
                "snapshot": change.snapshot,
                "previous_hash": previous,
                "hash": digest,
            }
        )
        previous = digest
    await connection.execute(_INSERT, values)
    await connection.execute(_MOVE, {"of_namespace": namespace_key, "revision": revision, "hash": previous})


def _model_of(resource: str) -> str:
    return resource.partition(_MODELS)[2].partition("/")[0]


def _at(place: Place) -> list[ColumnElement[bool]]:
    match place:
        case NamespaceName():
            return []
        case ModelName():
            return [_EVENTS.model_id == place.model]
        case VersionName() | AliasName():
            return [_EVENTS.resource == str(place)]


class SqlEvents:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def head(self, name: NamespaceName) -> LogHead | None:
        parameters = {"namespace_id": name.namespace}
        return _head((await self._connection.execute(_HEAD_OF, parameters)).one_or_none())

    async def revisions(self, namespace_keys: Collection[int]) -> dict[int, int]:
        query = select(_HEADS.namespace_key, _HEADS.revision).where(_HEADS.namespace_key.in_(namespace_keys))
        return {row.namespace_key: row.revision for row in await self._connection.execute(query)}

    async def page(self, log: LogHead, listing: EventListing) -> list[Event]:
        query: Select[Any] = select(tables.events).where(
            _EVENTS.namespace_key == log.namespace_key,
            _EVENTS.revision > log.floor,
            _EVENTS.revision <= log.revision,
            *_at(listing.place),
        )
        if listing.where is not None:
            query = query.where(condition(listing.where, EVENTS))
        revision = _EVENTS.revision
        if listing.after is not None:
            query = query.where(revision < listing.after if listing.descending else revision > listing.after)
        query = query.order_by(revision.desc() if listing.descending else revision).limit(listing.size)
        return [from_row(row) for row in await self._connection.execute(query)]

    async def headings(self, namespace_key: int, *, after: int, limit: int) -> list[Heading]:
        query = (
            select(_EVENTS.revision, _EVENTS.type, _EVENTS.resource, _EVENTS.model_id)
            .where(_EVENTS.namespace_key == namespace_key, _EVENTS.revision > after)
            .order_by(_EVENTS.revision)
            .limit(limit)
        )
        return [Heading(*row) for row in await self._connection.execute(query)]

    async def at(self, namespace_key: int, revision: int) -> Event | None:
        query = select(tables.events).where(_EVENTS.namespace_key == namespace_key, _EVENTS.revision == revision)
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else from_row(row)

    async def compact(self, namespace_key: int, revision: int, hash_: str) -> None:
        values = {"of_namespace": namespace_key, "floor": revision, "floor_hash": hash_}
        await self._connection.execute(_MOVE, values)

    async def forget(self, limit: int) -> int:
        old = (
            select(_EVENTS.namespace_key, _EVENTS.revision)
            .join(tables.log_heads, _HEADS.namespace_key == _EVENTS.namespace_key)
            .where(_EVENTS.revision <= _HEADS.floor, ~_AWAITED)
            .limit(limit)
        )
        found = list(await self._connection.execute(old))
        for row in found:
            of_namespace = _EVENTS.namespace_key == row.namespace_key
            await self._connection.execute(delete(tables.events).where(of_namespace, _EVENTS.revision == row.revision))
        return len(found)

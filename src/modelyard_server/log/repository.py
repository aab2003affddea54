"""The log of each namespace: gap-free revisions, chained by hash."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, Row, Select, bindparam, delete, insert, select, tuple_, update

from modelyard.core.names import AliasName, ModelName, NamespaceName, VersionName
from modelyard_server.calls.page_tokens import Cursor
from modelyard_server.db.connection import Connection
from modelyard_server.db.rows import batches
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.db.weights import weight_of
from modelyard_server.log import tables
from modelyard_server.log.encoding import COPIED, columns_of, decode, encode, event_hash
from modelyard_server.log.values import GENESIS, Change, Event, Heading, LogHead, Place, StoredEvent
from modelyard_server.query.conditions import condition
from modelyard_server.query.fitting import Weighed, read_page
from modelyard_server.query.listing import Page
from modelyard_server.query.subject import Columns
from modelyard_server.query.terms import Term

E = TypeVar("E", Event, StoredEvent)

_HEADS = tables.log_heads.c
_EVENTS = tables.events.c
COMPACTED: Final = "log.compacted"
ROOM: Final = 256 << 10
"""Bytes of the events that are read at once. A larger event is read alone."""
_OF_NAMESPACE = _HEADS.namespace_key == bindparam("of_namespace")
_COLUMNS: Final[Sequence[ColumnElement[Any]]] = (
    _HEADS.namespace_key,
    _HEADS.revision,
    _HEADS.hash,
    _HEADS.floor,
    _HEADS.floor_hash,
)
_HEAD: Final[Select[Any]] = select(*_COLUMNS).where(_OF_NAMESPACE)
_HEAD_OF: Final[Select[Any]] = select(*_COLUMNS).where(_HEADS.namespace_id == bindparam("of_id"))
_LOCK_HEAD_OF = _HEAD_OF.with_for_update()
_IDS_LIKE = (
    select(_HEADS.namespace_id)
    .where(_HEADS.namespace_id >= bindparam("first"))
    .order_by(_HEADS.namespace_id)
    .limit(bindparam("most"))
)
_LOCK = select(_HEADS.revision, _HEADS.hash).where(_OF_NAMESPACE).with_for_update()
_MOVE = update(tables.log_heads).where(_OF_NAMESPACE)
_INSERT = insert(tables.events)
_STORED: Final[Select[Any]] = select(_EVENTS.namespace_key, _EVENTS.payload, _EVENTS.hash)
_WEIGHTS: Final[Select[Any]] = select(_EVENTS.revision, weight_of([_EVENTS.payload]))
_WITH_REVISIONS = (
    _EVENTS.namespace_key == bindparam("of_namespace"),
    _EVENTS.revision.in_(bindparam("revisions", expanding=True)),
)
_AT = _STORED.where(*_WITH_REVISIONS)
_STORED_AT: Final[Select[Any]] = select(tables.events).where(*_WITH_REVISIONS)

SUBJECT: Final = Columns(
    table=tables.events,
    columns={name: _EVENTS[name] for name in ("revision", "type", "resource", "actor", "reason", "request_id", "time")},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventListing:
    """The filter and the position of a list of events."""

    place: Place
    where: Term | None = None
    types: Collection[str] = ()
    """Empty for all types."""
    descending: bool = False
    after: int | None = None
    """The last revision of the page before."""


def from_row(row: Row[Any]) -> Event:
    return decode(bytes(row.payload), namespace_key=row.namespace_key, stored_hash=row.hash)


def stored_from_row(row: Row[Any]) -> StoredEvent:
    columns = {name: getattr(row, name) for name in COPIED}
    return StoredEvent(row.revision, bytes(row.payload), row.hash, columns)


def _head(row: Row[Any] | None) -> LogHead | None:
    if row is None:
        return None
    return LogHead(row.namespace_key, row.revision, row.hash, row.floor, row.floor_hash)


async def append(connection: Connection, namespace_key: int, changes: Sequence[Change]) -> None:
    """Assigns revisions to the changes of one transaction. It locks the head until the commit, so call it last.

    A revision drawn earlier could become visible after a higher one. A reader that follows the log would miss it.
    """
    row = (await connection.execute(_LOCK, {"of_namespace": namespace_key})).one()
    revision, previous = row.revision, row.hash
    values = []
    for change in changes:
        revision += 1
        payload = encode(previous, revision, change)
        previous = event_hash(payload)
        values.append(columns_of(change) | {"revision": revision, "payload": payload, "hash": previous})
    await connection.execute(_INSERT, values)
    await connection.execute(_MOVE, {"of_namespace": namespace_key, "revision": revision, "hash": previous})


def _at(place: Place) -> list[ColumnElement[bool]]:
    match place:
        case NamespaceName():
            return []
        case ModelName():
            return [_EVENTS.model_id == place.model]
        case VersionName() | AliasName():
            return [_EVENTS.resource == str(place)]


class EventRepository:
    def __init__(self, transaction: Transaction) -> None:
        self._connection = transaction.connection

    async def begin(self, name: NamespaceName, namespace_key: int) -> None:
        """Creates the empty log of a new namespace."""
        fresh = {"revision": 0, "hash": GENESIS, "floor": 0, "floor_hash": GENESIS}
        values = {"namespace_key": namespace_key, "namespace_id": name.namespace, **fresh}
        await self._connection.execute(insert(tables.log_heads).values(values))

    async def head(self, name: NamespaceName, *, lock: bool = False) -> LogHead | None:
        """None if there is no such namespace."""
        query = _LOCK_HEAD_OF if lock else _HEAD_OF
        return _head((await self._connection.execute(query, {"of_id": name.namespace})).one_or_none())

    async def namespaces_like(self, id_: str, *, limit: int) -> list[str]:
        """Ids of namespaces from the first letter of ``id_`` on, in their order."""
        rows = await self._connection.execute(_IDS_LIKE, {"first": id_[:1], "most": limit})
        return [row.namespace_id for row in rows]

    async def head_at(self, namespace_key: int) -> LogHead | None:
        return _head((await self._connection.execute(_HEAD, {"of_namespace": namespace_key})).one_or_none())

    async def revisions(self, namespace_keys: Collection[int]) -> dict[int, int]:
        """The last revision of each namespace."""
        query = select(_HEADS.namespace_key, _HEADS.revision).where(_HEADS.namespace_key.in_(namespace_keys))
        return {row.namespace_key: row.revision for row in await self._connection.execute(query)}

    async def page(self, log: LogHead, listing: EventListing, *, size: int, room: int = ROOM) -> Page[Event]:
        """At most ``size`` events that are kept, up to the head of ``log``, and of about ``room`` bytes."""
        return await self._page(log, listing, _AT, from_row, size=size, room=room)

    async def stored(self, log: LogHead, listing: EventListing, *, size: int) -> Page[StoredEvent]:
        """The same as stored, without decoding them."""
        return await self._page(log, listing, _STORED_AT, stored_from_row, size=size, room=ROOM)

    async def _page(
        self,
        log: LogHead,
        listing: EventListing,
        query: Select[Any],
        build: Callable[[Row[Any]], E],
        *,
        size: int,
        room: int,
    ) -> Page[E]:
        async def read(revisions: Sequence[Cursor]) -> list[E]:
            found: dict[int, E] = {}
            for batch in batches(revisions):
                parameters = {"of_namespace": log.namespace_key, "revisions": batch}
                for row in await self._connection.execute(query, parameters):
                    event = build(row)
                    found[event.revision] = event
            return [found[revision] for revision in revisions if isinstance(revision, int)]

        return await read_page(
            lambda after, limit: self._weigh(log, listing, after, limit),
            read,
            after=listing.after,
            size=size,
            room=room,
        )

    async def _weigh(self, log: LogHead, listing: EventListing, after: Cursor | None, limit: int) -> list[Weighed]:
        query: Select[Any] = _WEIGHTS.where(
            _EVENTS.namespace_key == log.namespace_key,
            _EVENTS.revision > log.floor,
            _EVENTS.revision <= log.revision,
            *_at(listing.place),
        )
        if listing.types:
            query = query.where(_EVENTS.type.in_(listing.types))
        if listing.where is not None:
            query = query.where(condition(listing.where, SUBJECT))
        revision = _EVENTS.revision
        if after is not None:
            query = query.where(revision < after if listing.descending else revision > after)
        query = query.order_by(revision.desc() if listing.descending else revision).limit(limit)
        return [Weighed(*row) for row in await self._connection.execute(query)]

    async def size_after(self, log: LogHead, revision: int) -> int:
        """Bytes of the next event; 0 if there is none."""
        query = _WEIGHTS.where(_EVENTS.namespace_key == log.namespace_key, _EVENTS.revision > revision)
        row = (await self._connection.execute(query.order_by(_EVENTS.revision).limit(1))).one_or_none()
        return 0 if row is None else int(row.weight)

    async def last_compaction(self, namespace_key: int, namespace: str) -> StoredEvent | None:
        """The event of the last compaction of a namespace's log. Each is kept until the next one."""
        query = (
            select(tables.events)
            .where(_EVENTS.namespace_key == namespace_key, _EVENTS.resource == namespace, _EVENTS.type == COMPACTED)
            .order_by(_EVENTS.revision.desc())
            .limit(1)
        )
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else stored_from_row(row)

    async def headings(self, namespace_key: int, *, after: int, limit: int) -> list[Heading]:
        """The next events, including compacted ones that are still stored."""
        query = (
            select(_EVENTS.revision, _EVENTS.type, _EVENTS.resource, _EVENTS.model_id)
            .where(_EVENTS.namespace_key == namespace_key, _EVENTS.revision > after)
            .order_by(_EVENTS.revision)
            .limit(limit)
        )
        return [Heading(*row) for row in await self._connection.execute(query)]

    async def at(self, namespace_key: int, revision: int) -> Event | None:
        """One event, if it is still stored."""
        query = _STORED.where(_EVENTS.namespace_key == namespace_key, _EVENTS.revision == revision)
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else from_row(row)

    async def compact(self, namespace_key: int, revision: int, hash_: str) -> None:
        """Moves the floor of a log up to ``revision``, whose event has ``hash_``."""
        values = {"of_namespace": namespace_key, "floor": revision, "floor_hash": hash_}
        await self._connection.execute(_MOVE, values)

    async def below_floor(self, *, after: tuple[int, int], limit: int) -> list[tuple[int, int]]:
        """Namespace key and revision of the next compacted events that are still stored."""
        place = tuple_(_EVENTS.namespace_key, _EVENTS.revision)
        query = (
            select(_EVENTS.namespace_key, _EVENTS.revision)
            .join(tables.log_heads, _HEADS.namespace_key == _EVENTS.namespace_key)
            .where(_EVENTS.revision <= _HEADS.floor, place > tuple_(*after))
            .order_by(_EVENTS.namespace_key, _EVENTS.revision)
            .limit(limit)
        )
        return [(row.namespace_key, row.revision) for row in await self._connection.execute(query)]

    async def remove(self, namespace_key: int, revisions: Iterable[int]) -> None:
        await self._connection.execute(
            delete(tables.events).where(_EVENTS.namespace_key == namespace_key, _EVENTS.revision.in_(list(revisions)))
        )

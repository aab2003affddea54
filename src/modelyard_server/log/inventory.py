"""SQL with which `fsck` reads logs: their events, and the last event of each row."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, bindparam, select, tuple_

from modelyard_server.db.inspection import Every
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.log import tables
from modelyard_server.log.encoding import decode
from modelyard_server.log.kinds import Kind
from modelyard_server.log.repository import stored_from_row
from modelyard_server.log.values import Json

_EVENTS = tables.events.c
_HEADS = tables.log_heads.c
_LATER = tables.events.alias()
_PAGE: Final = 200


class LogRecord(NamedTuple):
    key: int
    name: str


def _log(row: Row[Any]) -> LogRecord:
    return LogRecord(row.namespace_key, f"namespaces/{row.namespace_id}")


LOGS: Final = Every(
    select(_HEADS.namespace_key, _HEADS.namespace_id), _HEADS.namespace_key, _log, tables.log_heads.name
)


EVENTS: Final = Every(
    select(tables.events).where(_EVENTS.namespace_key == bindparam("of_namespace")),
    _EVENTS.revision,
    stored_from_row,
    tables.events.name,
)


class LastEvent(NamedTuple):
    """The last event of a resource."""

    schema: int
    snapshot: Json


class Logged(NamedTuple):
    """A row and its last event."""

    kind: Kind[Any]
    row: Json
    """As a snapshot of the newest schema."""
    event: LastEvent | None
    """None if there is none, or if the last one removed the resource."""
    compacted: bool = False
    """Its last event may have been compacted."""


def _of_kind(kind: Kind[Any]) -> ColumnElement[bool]:
    # By the name, not by the verbs: a newer release may have added some.
    return _EVENTS.type.startswith(f"{kind.name}.", autoescape=True)


def with_last_event(
    query: Select[Any], kind: Kind[Any], name: ColumnElement[str], namespace_key: ColumnElement[int]
) -> Select[Any]:
    """Adds the last event of that kind with ``name`` to each row of the query."""
    last = (
        select(_EVENTS.payload)
        .where(_EVENTS.namespace_key == namespace_key, _EVENTS.resource == name, _of_kind(kind))
        .order_by(_EVENTS.revision.desc())
        .limit(1)
        .correlate_except(tables.events)
    )
    floor = select(_HEADS.floor).where(_HEADS.namespace_key == namespace_key).correlate_except(tables.log_heads)
    return query.add_columns(floor.scalar_subquery().label("log_floor"), last.scalar_subquery().label("last_event"))


def logged(row: Row[Any], kind: Kind[Any], resource: Any) -> Logged:
    """A row of :func:`with_last_event`, and the resource that it holds."""
    snapshot = kind.snapshot(resource)
    if row.last_event is None:
        # The last event of a resource may have been compacted.
        return Logged(kind, snapshot, None, compacted=bool(row.log_floor))
    change = decode(bytes(row.last_event), namespace_key=0, stored_hash="").change
    gone = change.type in kind.removal_types
    return Logged(kind, snapshot, None if gone else LastEvent(change.schema, change.snapshot))


@dataclass(frozen=True, slots=True)
class Family:
    """Finds the rows of one kind of resource by the names in the log, many at once."""

    kind: Kind[Any]
    ids: Callable[[str], tuple[object, ...]]
    """Parses a name into ids. Raises ``ValueError`` if it is invalid."""
    columns: tuple[ColumnElement[Any], ...]
    """Columns of the ids. The index is on these, not on names."""
    names: Select[Any]
    """The names of all rows of the kind."""
    namespace_key: ColumnElement[int]


async def missing_rows(
    transaction: Transaction, families: Sequence[Family], *, namespace_key: int, after: int
) -> tuple[list[str], int | None]:
    """Resources that exist according to the next events after revision ``after``, but have no row.

    Also returns the last revision read; None at the end. Events and rows are read in one snapshot. Otherwise a resource
    that is removed in between would seem to be missing.
    """
    removals = [type_ for family in families for type_ in family.kind.removal_types]
    # The last event of each resource, if the resource exists after it.
    standing: Select[Any] = (
        select(_EVENTS.revision, _EVENTS.type, _EVENTS.resource)
        .where(
            _EVENTS.namespace_key == namespace_key,
            _EVENTS.revision > after,
            _EVENTS.type.not_in(removals),
            ~select(_LATER.c.revision)
            .where(
                _LATER.c.namespace_key == _EVENTS.namespace_key,
                _LATER.c.resource == _EVENTS.resource,
                _LATER.c.revision > _EVENTS.revision,
            )
            .exists(),
        )
        .order_by(_EVENTS.revision)
        .limit(_PAGE)
    )
    connection = transaction.connection
    events = list(await connection.execute(standing))
    missing: list[str] = []
    for family in families:
        if wanted := _ids(events, family):
            found = family.names.where(
                family.namespace_key == namespace_key, tuple_(*family.columns).in_(list(wanted.values()))
            )
            there = set((await connection.execute(found)).scalars())
            missing += [name for name in wanted if name not in there]
    return missing, events[-1].revision if len(events) == _PAGE else None


def _ids(events: Sequence[Row[Any]], family: Family) -> dict[str, tuple[object, ...]]:
    found = {}
    for event in events:
        if event.type in family.kind.types:
            with suppress(ValueError):  # edited; its hash reports it
                found[event.resource] = family.ids(event.resource)
    return found

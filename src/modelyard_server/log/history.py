"""What was, by the log."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

from modelyard.core.names import AliasName, NamespaceName, VersionName
from modelyard_server.calls.errors import FailedPrecondition, OutOfRange, PreconditionViolation
from modelyard_server.db.protocols import Transaction
from modelyard_server.log.codec import alias_from_snapshot
from modelyard_server.log.values import Event, LogHead, Place
from modelyard_server.query import terms
from modelyard_server.query.listing import EventListing
from modelyard_server.query.syntax import Operator
from modelyard_server.registry import lookup
from modelyard_server.registry.values import Alias

_PAGE: Final = 100


async def log_of(transaction: Transaction, name: NamespaceName) -> LogHead:
    found = await transaction.events.head(name)
    if found is None:
        raise lookup.namespace_not_found(name)
    return found


def namespace_of(place: Place) -> NamespaceName:
    """The namespace whose log tells of a place."""
    match place:
        case NamespaceName():
            return place
        case VersionName() | AliasName():
            return NamespaceName(place.model.namespace)
        case _:
            return NamespaceName(place.namespace)


async def alias_at(transaction: Transaction, name: AliasName, time: datetime) -> Alias:
    """An alias as it was at a time."""
    log = await log_of(transaction, namespace_of(name))
    until = terms.Moment("time", Operator.LESS_EQUAL, time)
    found = await transaction.events.page(log, EventListing(place=name, where=until, descending=True, size=1))
    if not found and log.floor:
        raise compacted(log.floor, f"nothing is kept of {name} from before then")
    if not found or found[0].change.type == "alias.deleted":
        raise lookup.alias_not_found(name)
    return alias_from_snapshot(dict(found[0].change.snapshot))


async def target_before(transaction: Transaction, name: AliasName) -> VersionName:
    """What an alias pointed at before its last move that was not rolled back since."""
    log = await log_of(transaction, namespace_of(name))
    rolled_back = 0
    async for event in _backwards(transaction, log, name):
        if event.change.type == "alias.rolled_back":
            rolled_back += 1
        elif event.change.type != "alias.moved":
            break
        elif rolled_back:
            rolled_back -= 1
        else:
            return VersionName.parse(event.change.changes["version"][0])
    else:
        if log.floor:
            raise compacted(log.floor, f"where {name} pointed before is not kept; set it to the version that you mean")
    raise FailedPrecondition(
        f"{name} has never been moved, or all its moves were rolled back: there is nothing to go back to",
        reason="NOTHING_TO_ROLL_BACK",
        violations=[PreconditionViolation("HISTORY", str(name), "it has pointed at nothing else before")],
        metadata={"resource": str(name)},
    )


async def _backwards(transaction: Transaction, log: LogHead, place: Place) -> AsyncIterator[Event]:
    after: int | None = None
    while True:
        page = await transaction.events.page(log, EventListing(place=place, descending=True, after=after, size=_PAGE))
        for event in page:
            yield event
        if len(page) < _PAGE:
            return
        after = page[-1].revision


def compacted(floor: int, consequence: str) -> OutOfRange:
    return OutOfRange(
        f"the log is kept from revision {floor + 1} on: {consequence}",
        reason="REVISION_COMPACTED",
        metadata={"compactedRevision": str(floor), "oldestRevision": str(floor + 1)},
    )

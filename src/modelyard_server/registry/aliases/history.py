"""Reads the history of aliases from the log."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

from modelyard.core.names import AliasName, VersionName
from modelyard_server.calls.errors import FailedPrecondition, PreconditionViolation
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.log import history
from modelyard_server.log.repository import EventListing, EventRepository
from modelyard_server.log.values import Event, LogHead, Place, namespace_of
from modelyard_server.query import terms
from modelyard_server.query.syntax import Operator
from modelyard_server.registry import lookup
from modelyard_server.registry.aliases.events import decode
from modelyard_server.registry.aliases.values import Alias

_PAGE: Final = 100


async def alias_at(transaction: Transaction, name: AliasName, time: datetime) -> Alias:
    """An alias at a time in the past."""
    log = await history.log_of(transaction, namespace_of(name))
    until = terms.Moment("time", Operator.LESS_EQUAL, time)
    listing = EventListing(place=name, where=until, descending=True)
    found = (await EventRepository(transaction).page(log, listing, size=1)).items
    if not found and log.floor:
        raise history.compacted(log.floor, f"the history of {name} before that time was compacted")
    if not found or found[0].change.type == "alias.deleted":
        raise await lookup.alias_not_set_at(transaction, name, time)
    return decode(found[0].change.snapshot)


async def target_before(transaction: Transaction, name: AliasName) -> VersionName:
    """The version before the alias's last move that has not been rolled back."""
    log = await history.log_of(transaction, namespace_of(name))
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
            raise history.compacted(
                log.floor, f"the earlier versions of {name} were compacted. Set the alias to the version that you want"
            )
    raise FailedPrecondition(
        f"{name} has no move to roll back. Set the alias to the version that you want.",
        reason="NOTHING_TO_ROLL_BACK",
        violations=[PreconditionViolation("HISTORY", str(name), "it has no earlier version")],
        metadata={"resource": str(name)},
    )


async def _backwards(transaction: Transaction, log: LogHead, place: Place) -> AsyncIterator[Event]:
    after: int | None = None
    while True:
        listing = EventListing(place=place, descending=True, after=after)
        page = await EventRepository(transaction).page(log, listing, size=_PAGE)
        for event in page.items:
            yield event
        if not page.more:
            return
        after = page.items[-1].revision

"""The log of a namespace: read, verified, compacted."""

from dataclasses import dataclass, replace
from typing import Final

from modelyard.core.names import NamespaceName
from modelyard_server.calls.errors import invalid
from modelyard_server.db.protocols import Transaction
from modelyard_server.log import history
from modelyard_server.log.changes import Attempt, Mutations
from modelyard_server.log.codec import snapshot
from modelyard_server.log.values import Change, Event, LogHead
from modelyard_server.query.listing import EventListing
from modelyard_server.registry import lookup

_VERIFIED_AT_ONCE: Final = 10_000
_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class EventPage:
    events: list[Event]
    more: bool
    compacted_revision: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of computing hashes anew."""

    verified_revision: int
    hash: str
    more: bool
    broken_revision: int = 0
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    mutations: Mutations

    async def page(self, listing: EventListing) -> EventPage:
        async def work(transaction: Transaction) -> EventPage:
            log = await history.log_of(transaction, history.namespace_of(listing.place))
            found = await transaction.events.page(log, replace(listing, size=listing.size + 1))
            return EventPage(found[: listing.size], len(found) > listing.size, log.floor)

        return await self.mutations.database.read(work)

    async def verify(self, parent: NamespaceName, start: int) -> Verdict:
        """Checks the chain from revision ``start``, 0 for all that is kept."""

        async def work(transaction: Transaction) -> Verdict:
            log = await history.log_of(transaction, parent)
            first = max(start, 1) if start else log.floor + 1
            if first <= log.floor:
                raise history.compacted(log.floor, f"revision {start} can't be verified")
            previous = log.floor_hash if first == log.floor + 1 else None
            last = min(first + _VERIFIED_AT_ONCE - 1, log.revision)
            revision = first - 1
            while revision < last:
                size = min(_PAGE, last - revision)
                page = await transaction.events.page(log, EventListing(place=parent, after=revision, size=size))
                for event in page:
                    if fault := _fault(event, revision + 1, previous):
                        return Verdict(revision, previous or "", False, revision + 1, fault)
                    revision, previous = event.revision, event.hash
                if not page:
                    return Verdict(revision, previous or "", False, revision + 1, "is missing")
            if revision == log.revision and previous not in {None, log.hash}:
                return Verdict(revision - 1, "", False, revision, "does not have the hash that the log ends with")
            return Verdict(revision, previous or "", revision < log.revision)

        return await self.mutations.database.read(work)

    async def compact(self, attempt: Attempt, parent: NamespaceName, revision: int, *, reason: str) -> int:
        """Forgets the events up to ``revision``; the floor there is then. They are removed by and by."""

        async def work(transaction: Transaction) -> int:
            namespace = await lookup.namespace(transaction, parent, lock=True)
            log = await history.log_of(transaction, parent)
            if revision > log.revision:
                raise invalid("revision", f"{revision} lies ahead of the log, which ends with {log.revision}")
            if revision <= log.floor:
                return log.floor
            listing = EventListing(place=parent, after=revision - 1, size=1)
            (last,) = await transaction.events.page(log, listing)
            await transaction.events.compact(log.namespace_key, revision, last.hash)
            transaction.record(
                Change(
                    namespace_key=log.namespace_key,
                    type="log.compacted",
                    resource=str(parent),
                    actor=attempt.actor,
                    request_id=attempt.request_id,
                    reason=reason,
                    time=self.mutations.clock(),
                    changes={"compacted_revision": [log.floor, revision]},
                    snapshot=snapshot(namespace),
                )
            )
            return revision

        return await self.mutations.database.write(work)

    async def head(self, parent: NamespaceName) -> LogHead:
        return await self.mutations.database.look(lambda transaction: history.log_of(transaction, parent))


def _fault(event: Event, expected: int, previous: str | None) -> str:
    if event.revision != expected:
        return "is missing"
    if previous is not None and event.previous_hash != previous:
        return "is not chained to the event before it"
    return "" if event.is_intact() else "is not what was written"

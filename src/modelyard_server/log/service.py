"""Reads, verifies and compacts the log of a namespace."""

from dataclasses import dataclass
from typing import Final

from modelyard.core.names import NamespaceName
from modelyard_server.calls.caller import Attempt, Caller
from modelyard_server.calls.errors import invalid
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.log import history
from modelyard_server.log.chain import fault_of, floor_fault
from modelyard_server.log.changes import Mutations
from modelyard_server.log.events import LOG, Floor
from modelyard_server.log.repository import EventListing, EventRepository
from modelyard_server.log.values import Event, namespace_of
from modelyard_server.query.listing import Page

_VERIFIED_AT_ONCE: Final = 10_000
_VERIFIED_BYTES: Final = 64 << 20
_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class EventPage:
    page: Page[Event]
    compacted_revision: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of verifying a chain."""

    verified_revision: int
    hash: str
    more: bool
    broken_revision: int = 0
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    mutations: Mutations

    async def page(self, caller: Caller, listing: EventListing, size: int) -> EventPage:
        """A page of events. It ends early at about ``list_bytes``, but has at least one event."""

        async def work(transaction: Transaction) -> EventPage:
            log = await history.log_of(transaction, namespace_of(listing.place))
            room = self.mutations.limits.list_bytes
            page = await EventRepository(transaction).page(log, listing, size=size, room=room)
            return EventPage(page, log.floor)

        return await self.mutations.database.read(work)

    async def verify(self, caller: Caller, parent: NamespaceName, start: int) -> Verdict:
        """Verifies the chain from revision ``start``, or from its beginning if that is 0."""

        async def work(transaction: Transaction) -> Verdict:
            log = await history.log_of(transaction, parent)
            first = max(start, 1) if start else log.floor + 1
            if first <= log.floor:
                raise history.compacted(log.floor, f"revision {start} can't be verified")
            previous = log.floor_hash if first == log.floor + 1 else None
            last = min(first + _VERIFIED_AT_ONCE - 1, log.revision)
            revision = first - 1
            events = EventRepository(transaction)
            if previous is not None:
                compaction = await events.last_compaction(log.namespace_key, str(parent))
                if told := floor_fault(log, compaction):
                    return Verdict(log.floor, "", False, log.floor + 1, told)
            room = _VERIFIED_BYTES
            while revision < last and room > 0:
                listing = EventListing(place=parent, after=revision)
                page = await events.stored(log, listing, size=min(_PAGE, last - revision))
                for event in page.items:
                    room -= len(event.payload)
                    if fault := fault_of(event, revision + 1, previous):
                        return Verdict(revision, previous or "", False, revision + 1, fault.text)
                    revision, previous = event.revision, event.hash
                if not page.items:
                    return Verdict(revision, previous or "", False, revision + 1, "is missing")
            if revision == log.revision and previous not in {None, log.hash}:
                return Verdict(revision - 1, "", False, revision, "does not have the hash in the head of the log")
            return Verdict(revision, previous or "", revision < log.revision)

        return await self.mutations.database.read(work)

    async def compact(self, attempt: Attempt, parent: NamespaceName, revision: int, *, reason: str) -> int:
        """Compacts the log up to ``revision``, and returns the new floor. A sweep removes the events later."""

        async def work(transaction: Transaction) -> int:
            log = await history.log_of(transaction, parent, lock=True)
            if revision > log.revision:
                raise invalid("revision", f"{revision} is after the end of the log, which is {log.revision}")
            if revision <= log.floor:
                return log.floor
            events = EventRepository(transaction)
            last = await events.at(log.namespace_key, revision)
            assert last is not None
            await events.compact(log.namespace_key, revision, last.hash)
            before, after = (self._floor(parent, each) for each in (log.floor, revision))
            self.mutations.record(
                transaction, attempt, log.namespace_key, LOG, "compacted", before=before, after=after, reason=reason
            )
            return revision

        return await self.mutations.database.write(work)

    def _floor(self, parent: NamespaceName, revision: int) -> Floor:
        now = self.mutations.clock()
        return Floor(uid="", create_time=now, update_time=now, name=parent, compacted_revision=revision)

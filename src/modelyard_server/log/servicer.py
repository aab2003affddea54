"""EventsService: lists, watches, verifies and compacts the log."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import aclosing
from typing import Final

from modelyard.core.names import AliasName, ModelName, NamespaceName, VersionName
from modelyard.v1 import events_pb2 as rpc
from modelyard_server.calls import parsing, validation
from modelyard_server.calls.admission import peer_of
from modelyard_server.calls.call import Call
from modelyard_server.calls.errors import FieldViolation
from modelyard_server.calls.limits import Limits
from modelyard_server.calls.parsing import Collector
from modelyard_server.log.messages import EventMessages
from modelyard_server.log.repository import EventListing
from modelyard_server.log.service import Log
from modelyard_server.log.values import Place
from modelyard_server.log.watching import Watching
from modelyard_server.query import requests
from modelyard_server.query.order import Order, parse_order
from modelyard_server.query.requests import Lists
from modelyard_server.query.terms import Fields, Kind

_MESSAGE_BYTES: Final = 1 << 20
"""Approximate maximum size of one message of a stream."""

FIELDS: Final[Fields] = {
    "revision": Kind.NUMBER,
    "type": Kind.TEXT,
    "resource": Kind.TEXT,
    "actor": Kind.TEXT,
    "reason": Kind.TEXT,
    "request_id": Kind.TEXT,
    "time": Kind.TIME,
}


def _order(text: str) -> Order | None:
    """``revision`` or ``revision desc``."""
    return parse_order(text, ["revision"], FIELDS)


def _place(value: str) -> Place:
    for parse in (NamespaceName.parse, ModelName.parse, VersionName.parse, AliasName.parse):
        try:
            return parse(value)
        except ValueError:
            continue
    raise ValueError(f"{value[:200]!r} is not the name of a namespace, model, version or alias")


def _watched(value: str) -> NamespaceName | ModelName:
    place = _place(value)
    if not isinstance(place, NamespaceName | ModelName):
        raise ValueError(f"{value} is neither a namespace nor a model. Watch its model, and filter its events.")  # noqa: TRY004
    return place


class EventsServicer:
    """Answers EventsService."""

    def __init__(
        self, log: Log, watching: Watching[rpc.Event], render: EventMessages, lists: Lists, limits: Limits
    ) -> None:
        self._log = log
        self._watching = watching
        self._render = render
        self._lists = lists
        self._limits = limits

    async def ListEvents(self, request: rpc.ListEventsRequest, call: Call) -> rpc.ListEventsResponse:
        collector = Collector()
        place = collector.parse("parent", _place, request.parent)
        where = requests.where(request.filter, FIELDS, self._log.mutations.clock(), collector)
        order = requests.order(request.order_by, _order, collector)
        query = self._lists.query(request, collector)
        assert place is not None
        descending = order is not None and order.descending
        listing = EventListing(place=place, where=where, descending=descending, after=query.after_key)
        found = await self._log.page(call.caller, listing, query.size)
        render = self._render.with_payload if request.include_payload else self._render
        events, token = await self._lists.answer(query, found.page, render)
        return rpc.ListEventsResponse(events=events, next_page_token=token, compacted_revision=found.compacted_revision)

    async def WatchEvents(self, request: rpc.WatchEventsRequest, call: Call) -> AsyncIterator[rpc.WatchEventsResponse]:
        collector = Collector()
        place = collector.parse("parent", _watched, request.parent)
        collector.add(_not_negative("start_revision", request.start_revision))
        collector.add(self._watching.types.check("types", request.types, self._limits.event_types))
        collector.raise_any()
        assert place is not None
        render = self._render.with_payload if request.include_payload else None
        peer = peer_of(call.origin.get("peer", ""))
        watch = self._watching.watch(
            call.caller, place, request.types, request.start_revision, peer=peer, render=render
        )
        async with aclosing(watch):
            async for news in watch:
                call.turn = news.turn
                batches = list(_batches(news.events, _MESSAGE_BYTES)) or [[]]
                for batch in batches[:-1]:
                    yield rpc.WatchEventsResponse(events=batch, revision=batch[-1].revision)
                yield rpc.WatchEventsResponse(events=batches[-1], revision=news.revision)

    async def VerifyEvents(self, request: rpc.VerifyEventsRequest, call: Call) -> rpc.VerifyEventsResponse:
        collector = Collector()
        parent = collector.parse("parent", NamespaceName.parse, request.parent)
        collector.add(_not_negative("start_revision", request.start_revision))
        collector.raise_any()
        assert parent is not None
        verdict = await self._log.verify(call.caller, parent, request.start_revision)
        return rpc.VerifyEventsResponse(
            verified_revision=verdict.verified_revision,
            hash=verdict.hash,
            more=verdict.more,
            broken_revision=verdict.broken_revision,
            fault=verdict.fault,
        )

    async def CompactEvents(self, request: rpc.CompactEventsRequest, call: Call) -> rpc.CompactEventsResponse:
        collector = Collector()
        parent = collector.parse("parent", NamespaceName.parse, request.parent)
        collector.require("revision", request.revision)
        collector.add(_not_negative("revision", request.revision))
        collector.add(validation.text("reason", request.reason, max_bytes=self._limits.reason_bytes))
        attempt = parsing.attempt(call, request, collector)
        collector.raise_any()
        assert parent is not None
        floor = await self._log.compact(attempt, parent, request.revision, reason=request.reason)
        return rpc.CompactEventsResponse(compacted_revision=floor)


def _not_negative(field: str, value: int) -> Iterable[FieldViolation]:
    if value < 0:
        yield FieldViolation(field, f"{value} is negative; revisions count from 1")


def _batches(events: Sequence[rpc.Event], size: int) -> Iterator[list[rpc.Event]]:
    """Splits events into lists of about ``size`` bytes, with at least one event each."""
    batch: list[rpc.Event] = []
    room = size
    for event in events:
        if batch and event.ByteSize() > room:
            yield batch
            batch, room = [], size
        batch.append(event)
        room -= event.ByteSize()
    if batch:
        yield batch

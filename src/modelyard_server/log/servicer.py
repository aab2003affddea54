"""EventsService: the log, listed, watched, verified, compacted."""

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import aclosing
from typing import Any, Final, TypeAlias

import grpc

from modelyard.core.names import AliasName, ModelName, NamespaceName, VersionName
from modelyard.v1 import events_pb2 as rpc
from modelyard.v1.events_pb2_grpc import EventsServiceServicer
from modelyard_server.calls import parsing, validation
from modelyard_server.calls.errors import FieldViolation
from modelyard_server.calls.limits import Limits
from modelyard_server.calls.page_tokens import PageTokens
from modelyard_server.calls.parsing import Collector
from modelyard_server.log import messages as convert_events
from modelyard_server.log.service import Log
from modelyard_server.log.values import Event, Place
from modelyard_server.log.watching import Watching
from modelyard_server.query.listing import EventListing
from modelyard_server.query.order import parse_event_order
from modelyard_server.query.terms import EVENT_FIELDS

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

_MESSAGE_BYTES: Final = 1 << 20
"""About what one message of a stream holds, however many events came at once."""


def _place(value: str) -> Place:
    for parse in (NamespaceName.parse, ModelName.parse, VersionName.parse, AliasName.parse):
        try:
            return parse(value)
        except ValueError:
            continue
    raise ValueError(f"{value[:200]!r} is no name of a namespace, a model, a version or an alias")


def _watched(value: str) -> NamespaceName | ModelName:
    place = _place(value)
    if not isinstance(place, NamespaceName | ModelName):
        raise ValueError(f"{value} is neither a namespace nor a model: watch its model, and pick its events")  # noqa: TRY004
    return place


class EventsServicer(EventsServiceServicer):
    """The log of each namespace."""

    def __init__(self, log: Log, watching: Watching, page_tokens: PageTokens, limits: Limits) -> None:
        self._log = log
        self._watching = watching
        self._page_tokens = page_tokens
        self._limits = limits

    async def ListEvents(self, request: rpc.ListEventsRequest, context: Context) -> rpc.ListEventsResponse:
        collector = Collector()
        place = collector.parse("parent", _place, request.parent)
        where = parsing.where(request.filter, EVENT_FIELDS, self._log.mutations.clock(), collector)
        order = parsing.order(request.order_by, parse_event_order, collector)
        query = parsing.query(request, self._page_tokens, self._limits, collector)
        assert place is not None
        listing = EventListing(
            place=place,
            where=where,
            descending=order is not None and order.descending,
            after=query.position if isinstance(query.position, int) else None,
            size=query.size,
        )
        page = await self._log.page(listing)
        shown = next(_batches(page.events, self._limits.list_bytes), [])
        more = page.more or len(shown) < len(page.events)
        return rpc.ListEventsResponse(
            events=shown,
            next_page_token=self._page_tokens.seal(query.text, shown[-1].revision) if more else "",
            compacted_revision=page.compacted_revision,
        )

    async def WatchEvents(
        self, request: rpc.WatchEventsRequest, context: Context
    ) -> AsyncIterator[rpc.WatchEventsResponse]:
        collector = Collector()
        place = collector.parse("parent", _watched, request.parent)
        collector.add(_not_negative("start_revision", request.start_revision))
        if len(request.types) > self._limits.event_types:
            text = f"has {len(request.types)} entries; at most {self._limits.event_types} are allowed"
            collector.add([FieldViolation("types", text)])
        collector.raise_any()
        assert place is not None
        watch = self._watching.watch(place, frozenset(request.types), request.start_revision)
        async with aclosing(watch):
            async for news in watch:
                batches = list(_batches(news.events, _MESSAGE_BYTES)) or [[]]
                for batch in batches[:-1]:
                    yield rpc.WatchEventsResponse(events=batch, revision=batch[-1].revision)
                yield rpc.WatchEventsResponse(events=batches[-1], revision=news.revision)

    async def VerifyEvents(self, request: rpc.VerifyEventsRequest, context: Context) -> rpc.VerifyEventsResponse:
        collector = Collector()
        parent = collector.parse("parent", NamespaceName.parse, request.parent)
        collector.add(_not_negative("start_revision", request.start_revision))
        collector.raise_any()
        assert parent is not None
        verdict = await self._log.verify(parent, request.start_revision)
        return rpc.VerifyEventsResponse(
            verified_revision=verdict.verified_revision,
            hash=verdict.hash,
            more=verdict.more,
            broken_revision=verdict.broken_revision,
            fault=verdict.fault,
        )

    async def CompactEvents(self, request: rpc.CompactEventsRequest, context: Context) -> rpc.CompactEventsResponse:
        collector = Collector()
        parent = collector.parse("parent", NamespaceName.parse, request.parent)
        collector.require("revision", request.revision)
        collector.add(_not_negative("revision", request.revision))
        collector.add(validation.text("reason", request.reason, max_bytes=self._limits.reason_bytes))
        attempt = parsing.attempt(request, collector)
        collector.raise_any()
        assert parent is not None
        floor = await self._log.compact(attempt, parent, request.revision, reason=request.reason)
        return rpc.CompactEventsResponse(compacted_revision=floor)


def _not_negative(field: str, value: int) -> Iterable[FieldViolation]:
    if value < 0:
        yield FieldViolation(field, f"{value} is negative; revisions count from 1")


def _batches(events: Iterable[Event], size: int) -> Iterator[list[rpc.Event]]:
    """The events as messages, about ``size`` bytes at once but never none."""
    batch: list[rpc.Event] = []
    room = size
    for event in events:
        message = convert_events.event(event)
        if batch and message.ByteSize() > room:
            yield batch
            batch, room = [], size
        batch.append(message)
        room -= message.ByteSize()
    if batch:
        yield batch

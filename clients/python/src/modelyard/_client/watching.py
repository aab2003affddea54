"""A watch of a reference: the version it points to now, then each new version, in order, exactly once.

A move of an alias is an event with a revision. A broken stream is resumed after the last revision that was seen. So no
move is missed and none is seen twice, however often the connection or the server dies. If the registry's log no longer
reaches back that far, the reference is resolved again.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Final

from modelyard import _convert
from modelyard._caller import warn
from modelyard._client.resolving import checked_version, resolve
from modelyard._connection import Connection, readable
from modelyard.core.names import PRODUCTION, VersionName
from modelyard.core.references import Reference, Selector
from modelyard.errors import (
    BadAnswerError,
    DeadlineExceededError,
    FailedPreconditionError,
    ModelyardError,
    NotFoundError,
    OutOfRangeError,
    ResourceExhaustedError,
    ServerError,
    SkippedVersionWarning,
    UnavailableError,
    WaitingWarning,
)
from modelyard.types import PulledModel
from modelyard.v1 import events_pb2
from modelyard.v1.events_pb2_grpc import EventsServiceStub

# A registry says something every half a minute: one that is silent for longer is gone.
_SILENCE: Final = 100.0
_HANGING: Final = 5.0
"""Seconds after which a registry that does not answer at the start is taken for gone."""
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0
_AWAY: Final = (UnavailableError, DeadlineExceededError, ResourceExhaustedError, ServerError)
_UNUSABLE: Final = (NotFoundError, FailedPreconditionError)
_MOVES: Final = ("alias.created", "alias.moved", "alias.rolled_back")
_NO_REVISION: Final = 1 << 62
"""No log gets there: a billion changes a second take a century."""
_random: Final = random.SystemRandom()


@dataclass(slots=True)
class _Backoff:
    """Longer and longer pauses, until something works."""

    _pause: float = _FIRST_PAUSE

    async def sleep(self) -> None:
        # Clients that one restart threw out must not come back together.
        await asyncio.sleep(_random.uniform(0, self._pause))
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def reset(self) -> None:
        self._pause = _FIRST_PAUSE


@dataclass(slots=True, kw_only=True)
class Watch:
    """One program that follows one reference."""

    connection: Connection
    reference: Reference
    pull: Callable[[Reference], Awaitable[PulledModel]]
    fall_back: Callable[[ModelyardError], Awaitable[PulledModel | None]]
    """The last version that the reference was known to mean, if there is one."""
    wait: bool = False
    """Whether a registry or a reference that does not exist at the start is waited for."""
    _last: PulledModel | None = None
    _revision: int = 0
    """All up to here is known."""
    _backoff: _Backoff = field(default_factory=_Backoff)
    _complaint: str = ""
    """The reason of the last warning of a wait."""

    async def models(self) -> AsyncGenerator[PulledModel, None]:
        """The models, each pulled and verified."""
        with self.connection.in_use():  # so that a registry that goes away is told once, and not with each attempt
            async for model in self._now():
                yield model
            while True:
                try:
                    async with aclosing(self._events()) as events:
                        async for event in events:
                            async for model in self._after(event):
                                yield model
                except OutOfRangeError:
                    await self._backoff.sleep()  # or a registry that knows no revision would be asked without end
                    async for model in self._now():
                        yield model
                except BadAnswerError:
                    raise
                except _AWAY:
                    await self._backoff.sleep()

    async def _now(self) -> AsyncIterator[PulledModel]:
        """What the reference means at some revision, if that is news. Waits for a registry that is away."""
        while True:
            head = self._revision
            try:
                if self._last is not None:
                    head = await self._head()
                timeout = _HANGING if self._last is None else None
                message = await resolve(self.connection, self.reference, files=False, patience=0, timeout=timeout)
                break
            except _UNUSABLE as error:
                if self._last is not None:
                    self._go_on_after(head, error)
                    return
                if not self.wait or not isinstance(error, NotFoundError):
                    raise
                self._complain(error)
            except BadAnswerError:
                raise
            except _AWAY as error:
                if self._last is None and (model := await self._without_registry(error)) is not None:
                    yield self._told(model)
            await self._backoff.sleep()
        resolution = _convert.resolution(str(self.reference), message)
        if self._is_news(resolution.version.name):
            yield self._told(await self._pull(resolution.version.name))
        self._require_later(resolution.revision, 0)
        self._revision = resolution.revision

    def _go_on_after(self, head: int, error: ModelyardError) -> None:
        """There is nothing to use for now. A move that came meanwhile is an event after ``head``."""
        if not isinstance(error, NotFoundError):
            warn(f"{self.reference} can't be used now: {error.message}", SkippedVersionWarning)
        self._revision = head

    async def _without_registry(self, error: ModelyardError) -> PulledModel | None:
        """What a watch starts with: the last known good, or with more patience the present one; None to wait."""
        known = await self.fall_back(error)
        if known is None and not self.wait:
            return await self.pull(self.reference)
        if known is None:
            self._complain(error)
        return known

    def _complain(self, error: ModelyardError) -> None:
        """Warns once of the reason for the wait."""
        if error.message != self._complaint:
            self._complaint = error.message
            warn(f"Waiting for {self.reference}: {error.message}", WaitingWarning)

    async def _head(self) -> int:
        """The last revision of the namespace."""
        request = events_pb2.ListEventsRequest(
            parent=f"namespaces/{self.reference.model.namespace}", order_by="revision desc", page_size=1
        )
        page = await self.connection.call(self.connection.stub(EventsServiceStub).ListEvents, request)
        head = page.events[0].revision if page.events else 0
        self._require_later(head, 0)
        return head

    async def _events(self) -> AsyncGenerator[events_pb2.Event, None]:
        """Those of the model, behind the last one that came."""
        request = events_pb2.WatchEventsRequest(parent=str(self.reference.model), start_revision=self._revision + 1)
        watch = self.connection.stub(EventsServiceStub).WatchEvents
        async with self.connection.stream(watch, request) as stream:
            answers = aiter(stream)
            while True:
                try:
                    async with asyncio.timeout(_SILENCE):
                        answer = await anext(answers)
                except (TimeoutError, StopAsyncIteration):
                    raise UnavailableError("the registry fell silent", reason="UNAVAILABLE") from None
                self._backoff.reset()
                for event in readable(answer).events:
                    self._require_later(event.revision, self._revision + 1)
                    yield event
                    self._revision = event.revision
                self._require_later(answer.revision, self._revision)
                self._revision = answer.revision

    @staticmethod
    def _require_later(revision: int, least: int) -> None:
        """A log only grows: an older revision again would be seen for ever."""
        if not least <= revision < _NO_REVISION:
            raise BadAnswerError(
                f"the registry sent revision {revision} of its log after {least - 1}", reason="BAD_ANSWER"
            )

    async def _after(self, event: events_pb2.Event) -> AsyncIterator[PulledModel]:
        """The model that an event puts into the reference's place, if it does."""
        wanted = await self._meant(event)
        if wanted is None or not self._is_news(wanted):
            return
        while True:
            try:
                yield self._told(await self._pull(wanted))
                return
            except _UNUSABLE as error:
                warn(f"{self.reference} moved to {wanted}, which can't be used: {error.message}", SkippedVersionWarning)
                return
            except _AWAY:
                await self._backoff.sleep()

    async def _meant(self, event: events_pb2.Event) -> VersionName | None:
        """The version that the reference means after an event; None if it says nothing of that."""
        match self.reference.selector:
            case Selector.NUMBER | Selector.DIGEST:
                return None
            case Selector.ALIAS:
                alias = str(self.reference.model.alias(self.reference.value))
                moved = event.type in _MOVES and event.resource == alias
                return checked_version(self.reference, event.alias.version) if moved else None
            case Selector.LATEST:
                return await self._resolved() if event.type.startswith("version.") else None
            case Selector.DEFAULT:
                production = str(self.reference.model.alias(PRODUCTION))
                if event.type in _MOVES and event.resource == production:
                    return checked_version(self.reference, event.alias.version)
                return await self._resolved() if event.type.startswith(("version.", "alias.deleted")) else None

    async def _resolved(self) -> VersionName | None:
        try:
            found = await resolve(self.connection, self.reference, files=False)
        except _UNUSABLE:
            return None
        return _convert.version_name(found.version.name)

    async def _pull(self, name: VersionName) -> PulledModel:
        model = await self.pull(Reference(name.model, Selector.NUMBER, str(name.number)))
        return replace(model, reference=str(self.reference))

    def _is_news(self, name: VersionName) -> bool:
        return self._last is None or self._last.version.name != name

    def _told(self, model: PulledModel) -> PulledModel:
        self._last = model
        return model

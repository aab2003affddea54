"""Watching the log: each event once, in order, as soon as it is committed.

What is committed by this process wakes the watchers at once; what other processes commit is found by asking the
database for the heads of the logs, twice a second. Each namespace that anybody watches has one feed: it reads new
events once for all watchers, and keeps the newest for those that come a moment late. Nothing is queued for a watcher.
It takes events when it is ready for more, from the feed or, if it is far behind, from the database: a slow one costs
nobody anything.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

import structlog

from modelyard.core.names import ModelName, NamespaceName
from modelyard_server.calls.caller import Caller
from modelyard_server.calls.errors import OutOfRange, RegistryError, Unavailable
from modelyard_server.db.unit_of_work import Database, Transaction
from modelyard_server.jobs import Job
from modelyard_server.log import history
from modelyard_server.log.repository import EventListing, EventRepository
from modelyard_server.log.types import EventTypes, is_wanted
from modelyard_server.log.values import Event, LogHead, namespace_of

M = TypeVar("M")

_log: Final = structlog.get_logger("modelyard.watching")

POLL_SECONDS: Final = 0.5
_PAGE: Final = 100
_KEPT: Final = 1000
_KEPT_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class News(Generic[M]):
    """What a watcher is told: events as messages, and the revision up to which that is all there was."""

    events: Sequence[M]
    revision: int


@dataclass(slots=True, eq=False)
class _Item(Generic[M]):
    """An event of a feed. It is rendered once, when the first watcher wants it, for all of them."""

    event: Event
    message: M | None = None

    def rendered(self, render: Callable[[Event], M]) -> M:
        if self.message is None:
            self.message = render(self.event)
        return self.message


@dataclass(slots=True, eq=False)
class _Feed(Generic[M]):
    """The newest events of one namespace."""

    key: int
    head: int
    """The last revision that watchers know of."""
    name: NamespaceName
    watchers: int = 0
    recent: deque[_Item[M]] = field(default_factory=deque)
    bytes: int = 0
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    due: asyncio.Event = field(default_factory=asyncio.Event)
    """There may be more than ``head``."""
    reading: "asyncio.Task[None] | None" = None

    def add(self, events: Sequence[Event]) -> None:
        for event in events:
            self.recent.append(_Item(event))
            self.bytes += len(event.payload)
            while len(self.recent) > _KEPT or (self.bytes > _KEPT_BYTES and len(self.recent) > 1):
                self.bytes -= len(self.recent.popleft().event.payload)
            self.head = event.revision
        self._wake()

    def jump(self, revision: int) -> None:
        """Goes on behind events that are not kept any more."""
        self.recent.clear()
        self.bytes = 0
        self.head = revision
        self._wake()

    def _wake(self) -> None:
        # Those who wait now are told; who comes later waits for the next.
        self.moved.set()
        self.moved = asyncio.Event()

    def behind(self, revision: int) -> list[_Item[M]] | None:
        """All events behind a revision; None if not all of them are kept here."""
        if not self.recent or self.recent[0].event.revision > revision + 1:
            return None
        missing = self.head - revision
        return list(self.recent)[-missing:] if missing > 0 else []


class Watching(Job, Generic[M]):
    """The feeds of this process."""

    def __init__(
        self, database: Database, types: EventTypes, render: Callable[[Event], M], *, progress_seconds: float
    ) -> None:
        self.types = types
        self._database = database
        self._render = render
        self._progress_seconds = progress_seconds
        self._feeds: dict[int, _Feed[M]] = {}
        self._polling: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def committed(self, namespace_keys: Collection[int]) -> None:
        """Wakes the watchers of namespaces whose logs went on."""
        for key in namespace_keys:
            if (feed := self._feeds.get(key)) is not None:
                feed.due.set()

    @property
    def watchers(self) -> int:
        """How many watches run. May be asked on any thread."""
        return sum(feed.watchers for feed in list(self._feeds.values()))

    async def start(self) -> None:
        """Listens to the commits of this process."""
        self._database.listen(self.committed)

    async def stop(self) -> None:
        """Ends all watches so that they can be resumed at another server."""
        self._closing.set()
        tasks = [feed.reading for feed in self._feeds.values()] + [self._polling]
        for feed in self._feeds.values():
            feed.moved.set()
        for task in filter(None, tasks):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def watch(
        self, caller: Caller, place: NamespaceName | ModelName, types: Iterable[str], start: int
    ) -> AsyncGenerator[News[M], None]:
        """The events of a place from revision ``start``, 0 for the next one. Never ends by itself.

        ``types`` are types of events or wildcards; none means all.
        """
        wanted = frozenset(types)
        namespace = namespace_of(place)
        log = await self._database.look(lambda transaction: history.log_of(transaction, namespace))
        cursor = start - 1 if start else log.revision
        _check_start(log, start)
        feed = self._follow(log, namespace)
        try:
            yield News((), cursor)
            while True:
                if self._closing.is_set():
                    raise _stopping()
                moved = feed.moved
                if cursor < feed.head:
                    items = feed.behind(cursor)
                    if items is None:
                        items = [_Item(event) for event in await self._read(namespace, cursor)]
                    told = [item.rendered(self._render) for item in items if _concerns(item.event, place, wanted)]
                    cursor = items[-1].event.revision if items else cursor
                    if told:
                        yield News(told, cursor)
                    continue
                try:
                    # Not wait_for, which until Python 3.12 loses a cancellation that comes together with the news.
                    async with asyncio.timeout(self._progress_seconds):
                        await moved.wait()
                except TimeoutError:
                    yield News((), cursor)
        finally:
            await self._leave(feed)

    async def _read(self, namespace: NamespaceName, after: int) -> list[Event]:
        async def work(transaction: Transaction) -> list[Event]:
            log = await history.log_of(transaction, namespace)
            _check_start(log, after + 1)
            return await EventRepository(transaction).page(log, EventListing(place=namespace, after=after, size=_PAGE))

        return await self._database.read(work)

    # Feeds

    def _follow(self, log: LogHead, namespace: NamespaceName) -> _Feed[M]:
        feed = self._feeds.get(log.namespace_key)
        if feed is None:
            feed = self._feeds[log.namespace_key] = _Feed(log.namespace_key, log.revision, namespace)
            feed.reading = asyncio.create_task(self._keep_up(feed))
            if self._polling is None:
                self._polling = asyncio.create_task(self._poll())
        feed.watchers += 1
        feed.due.set()
        return feed

    async def _leave(self, feed: _Feed[M]) -> None:
        feed.watchers -= 1
        if feed.watchers or self._feeds.get(feed.key) is not feed:
            return
        del self._feeds[feed.key]
        ended = [feed.reading]
        if not self._feeds:
            ended.append(self._polling)
            self._polling = None
        for task in filter(None, ended):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _keep_up(self, feed: _Feed[M]) -> None:
        """Reads what is new, whenever something may be."""
        while True:
            await feed.due.wait()
            feed.due.clear()
            try:
                await self._catch_up(feed)
            except RegistryError as error:  # the database is down: the next poll tries again
                _log.warning("can't read the log", reason=error.reason)
            except Exception:  # noqa: BLE001 (it is told, and must not end the task)
                # Watchers wait for this task: whatever went wrong, the next commit or poll tries again.
                _log.exception("can't read the log")

    async def _catch_up(self, feed: _Feed[M]) -> None:
        try:
            while events := await self._read(feed.name, feed.head):
                feed.add(events)
        except OutOfRange:  # compacted past us, as the watchers will learn themselves
            log = await self._database.look(lambda transaction: history.log_of(transaction, feed.name))
            feed.jump(log.revision)

    async def _poll(self) -> None:
        """Finds what other processes committed."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                heads = await self._database.look(
                    lambda transaction: EventRepository(transaction).revisions(list(self._feeds))
                )
            except RegistryError as error:
                _log.warning("can't ask for new events", reason=error.reason)
                continue
            for key, revision in heads.items():
                if (feed := self._feeds.get(key)) is not None and revision > feed.head:
                    feed.due.set()


def _concerns(event: Event, place: NamespaceName | ModelName, types: frozenset[str]) -> bool:
    if not is_wanted(event.change.type, types):
        return False
    if isinstance(place, NamespaceName):
        return True
    resource = event.change.resource
    return resource == str(place) or resource.startswith(f"{place}/")


def _check_start(log: LogHead, start: int) -> None:
    if start and start <= log.floor:
        raise history.compacted(log.floor, f"what happened since revision {start} can't be told; list again")
    if start > log.revision + 1:
        raise OutOfRange(
            f"revision {start} lies ahead of the log, which ends with {log.revision}: was it read from another"
            " registry, or is this one restored from a backup? List again",
            reason="REVISION_FUTURE",
            metadata={"startRevision": str(start), "latestRevision": str(log.revision)},
        )


def _stopping() -> Unavailable:
    return Unavailable("the server is stopping; go on behind the last revision that came", reason="DRAINING")

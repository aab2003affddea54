"""Watches the log: each event once, in order, as soon as it is committed.

Commits of this process wake the watchers at once. Commits of other processes are found by reading the heads of the logs
twice a second. Each watched namespace has one feed. A feed reads new events once for all watchers, and keeps the newest
ones for watchers that are slightly behind. There is no queue per watcher. A watcher takes events when it is ready, from
the feed or, if it is far behind, from the database. So a slow watcher costs other watchers nothing.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

import structlog

from modelyard.core.names import ModelName, NamespaceName
from modelyard_server.calls.admission import Gate
from modelyard_server.calls.call import Turn
from modelyard_server.calls.caller import Caller
from modelyard_server.calls.errors import OutOfRange, RegistryError, Unavailable
from modelyard_server.calls.offload import ENTRY_BYTES, offload
from modelyard_server.db.unit_of_work import Database, Transaction
from modelyard_server.jobs import Job
from modelyard_server.log import history
from modelyard_server.log.repository import ROOM, EventListing, EventRepository
from modelyard_server.log.types import EventTypes, is_wanted
from modelyard_server.log.values import Event, LogHead, namespace_of

M = TypeVar("M")

_log: Final = structlog.get_logger("modelyard.watching")

POLL_SECONDS: Final = 0.5
_PAGE: Final = 100
_LARGE: Final = 16
"""Watches that are sent events of more than :data:`ROOM` bytes at once. As objects these take ten times as much."""
_LARGE_WAITING: Final = 2048
# What a client may take for large events while others wait: a link of 1 Mbit/s carries them in that time.
_GRACE_SECONDS: Final = 5.0
_BYTES_PER_SECOND: Final = 128 << 10
_KEPT: Final = 1000
_KEPT_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class News(Generic[M]):
    """Events as messages, and the revision up to which they are complete."""

    events: Sequence[M]
    revision: int
    turn: Turn | None = None
    """The place that the watch holds until its client has these events. None for small ones."""


@dataclass(slots=True, eq=False)
class _Item(Generic[M]):
    """An event of a feed. The first watcher that needs it renders it for all."""

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
        """Continues after compacted events."""
        self.recent.clear()
        self.bytes = 0
        self.head = revision
        self._wake()

    def _wake(self) -> None:
        # Wakes the current watchers. Later ones wait for the next event.
        self.moved.set()
        self.moved = asyncio.Event()

    def behind(self, revision: int) -> list[_Item[M]] | None:
        """All events after a revision; None if the feed no longer has all of them."""
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
        self._large = Gate(limit=_LARGE, per_peer=_LARGE * 3 // 4, most_waiting=_LARGE_WAITING)

    def committed(self, namespace_keys: Collection[int]) -> None:
        """Wakes the watchers of namespaces with new events."""
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
        """Ends all watches, so that clients resume them at another server."""
        self._closing.set()
        tasks = [feed.reading for feed in self._feeds.values()] + [self._polling]
        for feed in self._feeds.values():
            feed.moved.set()
        for task in filter(None, tasks):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def watch(
        self,
        caller: Caller,
        place: NamespaceName | ModelName,
        types: Iterable[str],
        start: int,
        *,
        peer: str,
        render: Callable[[Event], M] | None = None,
    ) -> AsyncGenerator[News[M], None]:
        """The events of a scope from revision ``start``, or the next ones if that is 0. It never ends by itself.

        ``types`` are types of events or wildcards; none means all. ``peer`` is the machine of the client: machines take
        turns with large events. With ``render`` this watch alone gets messages of another form than all others.
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
                    async with AsyncExitStack() as stack:
                        items = feed.behind(cursor)
                        concern = _concerning(items or (), place, wanted)
                        size = await self._size_after(log, cursor) if items is None else _bytes(concern)
                        is_large = size > ROOM
                        if is_large:
                            entering = await stack.enter_async_context(self._turn(peer))
                            while not await self._entered(entering):
                                yield News((), cursor)
                        if items is None:
                            items = [_Item(event) for event in await self._read(namespace, cursor)]
                            concern = _concerning(items, place, wanted)
                        size = _bytes(concern)
                        told = await offload(size // ENTRY_BYTES, self._rendered, concern, render)
                        cursor = items[-1].event.revision if items else cursor
                        # Its events are in memory until the client has taken them.
                        if told:
                            yield News(told, cursor, self._held(size) if is_large else None)
                    continue
                try:
                    # Not wait_for: before Python 3.12 it loses a cancellation that arrives together with an event.
                    async with asyncio.timeout(self._progress_seconds):
                        await moved.wait()
                except TimeoutError:
                    yield News((), cursor)
        finally:
            await self._leave(feed)

    @asynccontextmanager
    async def _turn(self, peer: str) -> AsyncIterator["asyncio.Task[None]"]:
        """Waits, beside the watch, for a place for large events, and gives it back at the end."""
        entering = asyncio.create_task(self._large.enter(peer))
        try:
            yield entering
        finally:
            entering.cancel()
            await asyncio.wait((entering,))
            if not entering.cancelled() and entering.exception() is None:
                self._large.leave(peer)

    async def _entered(self, entering: "asyncio.Task[None]") -> bool:
        """Whether the place is there, after a wait of at most the time between two progress messages."""
        closing = asyncio.create_task(self._closing.wait())
        try:
            await asyncio.wait((entering, closing), timeout=self._progress_seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            closing.cancel()
        if self._closing.is_set():
            raise _stopping()
        if entering.done():
            entering.result()
        return entering.done()

    def _held(self, size: int) -> Turn:
        """The place of a watch with ``size`` bytes of events. A client that stands still loses it if others wait."""
        until = asyncio.get_running_loop().time() + _GRACE_SECONDS + size / _BYTES_PER_SECOND
        return Turn(until, lambda: self._large.waiting > 0)

    def _rendered(self, items: Sequence[_Item[M]], render: Callable[[Event], M] | None) -> list[M]:
        return [render(item.event) if render else item.rendered(self._render) for item in items]

    async def _size_after(self, log: LogHead, revision: int) -> int:
        """Bytes of the next event in the database."""
        return await self._database.look(lambda transaction: EventRepository(transaction).size_after(log, revision))

    async def _read(self, namespace: NamespaceName, after: int) -> Sequence[Event]:
        async def work(transaction: Transaction) -> Sequence[Event]:
            log = await history.log_of(transaction, namespace)
            _check_start(log, after + 1)
            page = await EventRepository(transaction).page(log, EventListing(place=namespace, after=after), size=_PAGE)
            return page.items

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
        """Reads new events after each wake-up."""
        while True:
            await feed.due.wait()
            feed.due.clear()
            try:
                await self._catch_up(feed)
            except RegistryError as error:  # the database is down: the next poll tries again
                _log.warning("can't read the log", reason=error.reason)
            except Exception:  # noqa: BLE001 (it is logged, and must not end the task)
                # Watchers wait for this task, so it must survive every error. The next commit or poll tries again.
                _log.exception("can't read the log")

    async def _catch_up(self, feed: _Feed[M]) -> None:
        try:
            while events := await self._read(feed.name, feed.head):
                feed.add(events)
        except OutOfRange:  # compacted meanwhile: each watcher gets its own error
            log = await self._database.look(lambda transaction: history.log_of(transaction, feed.name))
            feed.jump(log.revision)

    async def _poll(self) -> None:
        """Finds commits of other processes."""
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


def _concerning(items: Iterable[_Item[M]], place: NamespaceName | ModelName, types: frozenset[str]) -> list[_Item[M]]:
    return [item for item in items if _concerns(item.event, place, types)]


def _bytes(items: Iterable[_Item[M]]) -> int:
    return sum(len(item.event.payload) for item in items)


def _concerns(event: Event, place: NamespaceName | ModelName, types: frozenset[str]) -> bool:
    if not is_wanted(event.change.type, types):
        return False
    if isinstance(place, NamespaceName):
        return True
    resource = event.change.resource
    return resource == str(place) or resource.startswith(f"{place}/")


def _check_start(log: LogHead, start: int) -> None:
    if start and start <= log.floor:
        raise history.compacted(
            log.floor, f"events since revision {start} were compacted. List the resources again, then watch from now"
        )
    if start > log.revision + 1:
        raise OutOfRange(
            f"Revision {start} is after the end of the log, which is {log.revision}. It may come from another"
            " registry, or this one was restored from a backup. List the resources again.",
            reason="REVISION_FUTURE",
            metadata={"startRevision": str(start), "latestRevision": str(log.revision)},
        )


def _stopping() -> Unavailable:
    return Unavailable("The server is stopping. Continue after the last revision that you received.", reason="DRAINING")

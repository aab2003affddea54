"""Watching the log: ordered, unique, complete, resumable, and told when nothing happens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
from sqlalchemy import text
from tests.support.children import PATIENCE
from tests.support.registry import RunningRegistry, refusal, refused, running_registry
from tests.support.requests import MODEL, NAMESPACE, commit, make_model

from modelyard.v1 import events_pb2 as rpc
from modelyard.v1 import registry_pb2 as registry
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.calls.limits import Limits
from modelyard_server.log import watching


class Watcher:
    """Takes what a watch tells."""

    def __init__(self, yard: RunningRegistry, parent: str = NAMESPACE, start: int = 0, types: tuple[str, ...] = ()):
        request = rpc.WatchEventsRequest(parent=parent, start_revision=start, types=types)
        self._call = yard.events.WatchEvents(request)
        self._answers = self._call.__aiter__()

    async def next(self) -> rpc.WatchEventsResponse:
        async with asyncio.timeout(PATIENCE):
            return await anext(self._answers)

    async def revisions(self, count: int) -> list[int]:
        """Of the next events."""
        found: list[int] = []
        while len(found) < count:
            found += [event.revision for event in (await self.next()).events]
        return found

    def cancel(self) -> None:
        self._call.cancel()


@asynccontextmanager
async def watcher(
    yard: RunningRegistry, parent: str = NAMESPACE, start: int = 0, types: tuple[str, ...] = ()
) -> AsyncIterator[Watcher]:
    made = Watcher(yard, parent, start, types)
    try:
        yield made
    finally:
        made.cancel()


async def label(yard: RunningRegistry, number: int) -> None:
    """One more event."""
    model = pb.Model(name=MODEL, labels={"n": str(number)})
    await yard.registry.UpdateModel(registry.UpdateModelRequest(model=model))


async def test_what_was_and_what_comes_is_told_once_and_in_order(yard: RunningRegistry) -> None:
    await make_model(yard)
    async with watcher(yard, start=1) as watch:
        assert (await watch.next()).revision == 0
        assert await watch.revisions(2) == [1, 2]
        for number in range(10):
            await label(yard, number)
        assert await watch.revisions(10) == list(range(3, 13))


async def test_without_a_start_it_begins_with_the_next_one(yard: RunningRegistry) -> None:
    await make_model(yard)
    async with watcher(yard) as watch:
        first = await watch.next()
        await label(yard, 1)
        told = await watch.next()

    assert (first.revision, list(first.events)) == (2, [])
    assert [event.revision for event in told.events] == [3]
    assert told.events[0].model.labels["n"] == "1"


async def test_many_watchers_are_told_the_same(yard: RunningRegistry) -> None:
    await make_model(yard)
    watches = [Watcher(yard, start=1) for _ in range(30)]
    await asyncio.gather(*(watch.next() for watch in watches))
    for number in range(20):
        await label(yard, number)
    told = await asyncio.gather(*(watch.revisions(22) for watch in watches))
    for watch in watches:
        watch.cancel()

    assert told == [list(range(1, 23))] * 30


async def test_a_model_is_watched_alone_and_by_types(yard: RunningRegistry) -> None:
    await make_model(yard)
    await make_model(yard, "fraud-2")
    async with watcher(yard, MODEL, types=("version.created", "alias.created")) as watch:
        await watch.next()
        await commit(yard, parent=f"{NAMESPACE}/models/fraud-2")
        await label(yard, 1)
        await commit(yard, aliases=["production"])
        told: list[rpc.Event] = []
        while len(told) < 2:
            told += (await watch.next()).events

    assert [(event.type, event.resource) for event in told] == [
        ("version.created", f"{MODEL}/versions/1"),
        ("alias.created", f"{MODEL}/aliases/production"),
    ]


async def test_what_another_process_commits_is_found(yard: RunningRegistry) -> None:
    """The log is read from the database, whoever wrote it: a wake-up only makes it sooner."""
    await make_model(yard)
    async with watcher(yard) as watch:
        await watch.next()
        copy = (
            "INSERT INTO events (namespace_key, revision, type, resource, model_id, actor, request_id, reason, time,"
            " changes, snapshot, previous_hash, hash) SELECT namespace_key, 3, type, resource, model_id, 'elsewhere',"
            " request_id, reason, time, changes, snapshot, previous_hash, hash FROM events WHERE revision = 2"
        )
        await yard.engine.migrate(lambda connection: connection.execute(text(copy)))
        await yard.engine.migrate(lambda connection: connection.execute(text("UPDATE log_heads SET revision = 3")))
        told = await watch.next()

    assert [event.actor for event in told.events] == ["elsewhere"]


async def test_a_slow_watch_reads_from_the_database(yard: RunningRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_KEPT", 3)
    await make_model(yard)
    async with watcher(yard, start=1) as watch:
        await watch.next()
        for number in range(30):
            await label(yard, number)
        assert await watch.revisions(32) == list(range(1, 33))


async def test_a_broken_watch_is_resumed_behind_the_last_event(yard: RunningRegistry) -> None:
    await make_model(yard)
    seen: list[int] = []
    for number in range(20):
        async with watcher(yard, start=len(seen) + 1) as watch:
            await label(yard, number)
            seen += await watch.revisions(1)
    async with watcher(yard, start=len(seen) + 1) as watch:
        seen += await watch.revisions(22 - len(seen))

    assert seen == list(range(1, 23))


async def test_idle_watches_report_progress(tmp_path_factory: pytest.TempPathFactory) -> None:
    limits = Limits(watch_progress=0.01)
    async with running_registry("sqlite", tmp_path_factory.mktemp("idle"), limits=limits) as yard:
        await make_model(yard)
        async with watcher(yard, f"{NAMESPACE}/models/other") as watch:
            assert [(await watch.next()).revision for _ in range(3)] == [2, 2, 2]
            await label(yard, 1)
            while (progress := await watch.next()).revision != 3:
                assert not progress.events


async def _ends(watch: Watcher) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await _take(watch, [], 1 << 62)
    return ended.value


async def _take(watch: Watcher, seen: list[int], last: int) -> None:
    """Adds revisions to ``seen`` up to ``last``."""
    while not seen or seen[-1] < last:
        seen += [event.revision for event in (await watch.next()).events]


async def test_compacted_revisions_are_refused_not_skipped(yard: RunningRegistry) -> None:
    await make_model(yard)
    for number in range(3):
        await label(yard, number)
    await yard.events.CompactEvents(rpc.CompactEventsRequest(parent=NAMESPACE, revision=3))

    for start, reason in ((3, "REVISION_COMPACTED"), (8, "REVISION_FUTURE")):
        got = refusal(await _ends(Watcher(yard, start=start)))
        assert (got.code, got.reason) == (grpc.StatusCode.OUT_OF_RANGE, reason)
    async with watcher(yard, start=4) as watch:
        assert await watch.revisions(3) == [4, 5, 6]


async def test_a_slow_watch_is_told_of_a_compaction(yard: RunningRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_KEPT", 1)
    monkeypatch.setattr(watching, "_PAGE", 1)
    await make_model(yard)
    for number in range(200):
        await label(yard, number)
    watch = Watcher(yard, start=1)
    seen: list[int] = []
    await _take(watch, seen, 1)
    await yard.events.CompactEvents(rpc.CompactEventsRequest(parent=NAMESPACE, revision=202))
    (ended,) = await asyncio.gather(_take(watch, seen, 203), return_exceptions=True)
    watch.cancel()

    assert seen == list(range(1, len(seen) + 1))
    # It may have been told all before it was compacted.
    assert seen[-1] == 203 if ended is None else "REVISION_COMPACTED" in _reasons(ended)


def _reasons(error: BaseException) -> set[str]:
    return {refusal(error).reason} if isinstance(error, grpc.aio.AioRpcError) else set()


async def test_watches_end_so_that_they_can_be_resumed_when_the_server_stops(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with running_registry("sqlite", tmp_path_factory.mktemp("drain")) as yard:
        watch = Watcher(yard)
        await watch.next()
        stopping = asyncio.create_task(yard.app.drain(10))
        got = refusal(await _ends(watch))
        await stopping

    assert (got.code, got.reason) == (grpc.StatusCode.UNAVAILABLE, "DRAINING")


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (rpc.WatchEventsRequest(), ["parent"]),
        (rpc.WatchEventsRequest(parent=f"{MODEL}/versions/1", start_revision=-1), ["parent", "start_revision"]),
        (rpc.WatchEventsRequest(parent=NAMESPACE, types=["x"] * 101), ["types"]),
    ],
    ids=str,
)
@pytest.mark.asyncio(loop_scope="module")
async def test_wrong_watches_are_refused(
    fraud_yard: RunningRegistry, request_: rpc.WatchEventsRequest, fields: list[str]
) -> None:
    got = await refused(_first(fraud_yard, request_))

    assert (got.code, got.fields) == (grpc.StatusCode.INVALID_ARGUMENT, fields)


async def _first(yard: RunningRegistry, request: rpc.WatchEventsRequest) -> rpc.WatchEventsResponse:
    return await anext(yard.events.WatchEvents(request).__aiter__())

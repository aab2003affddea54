"""Measures watches: how soon a promotion reaches many, and what many cost that have nothing to tell."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import psutil

from benchmarks import servers
from benchmarks.report import Row
from modelyard import AsyncClient
from modelyard.v1 import events_pb2, registry_pb2, resources_pb2
from modelyard.v1.events_pb2_grpc import EventsServiceStub
from modelyard.v1.registry_pb2_grpc import RegistryServiceStub

MODEL: Final = "namespaces/default/models/fraud"
_WATCHERS: Final = 100
_IDLE: Final = 1000
_PROMOTIONS: Final = 50
_IDLE_SECONDS: Final = 20
# Of watches over one connection a server takes no more.
_OVER_ONE: Final = 50


def run() -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as folder:
        with servers.modelyard(Path(folder)) as (url, process):
            p50, p99 = asyncio.run(_reach(url))
            yield Row(f"a promotion reaches {_WATCHERS} watchers: p50", f"{p50 * 1000:.1f} ms", "")
            yield Row(f"a promotion reaches {_WATCHERS} watchers: p99", f"{p99 * 1000:.1f} ms", "100 ms", 0.1 / p99, 1)
        with servers.modelyard(Path(folder)) as (url, process):
            grown, cpu = asyncio.run(_idle(url, process))
            yield Row(f"{_IDLE} idle watchers: memory of the server", f"+{grown:.0f} MiB", "200 MiB", 200 / grown, 1)
            yield Row(f"{_IDLE} idle watchers: CPU of the server", f"{cpu:.1%} of a core", "")


async def _promote(client: AsyncClient, alias: str) -> None:
    """Another event; a model's label does as well, and needs no bytes."""
    model = resources_pb2.Model(name=MODEL, labels={"promoted": alias})
    connection = client._connection  # noqa: SLF001 - a message of our own is the fastest event to make
    await connection.call(
        connection.stub(RegistryServiceStub).UpdateModel, registry_pb2.UpdateModelRequest(model=model)
    )


async def _watch(client: AsyncClient, seen: "dict[int, float]", heard: asyncio.Semaphore) -> None:
    """Notes when each event came, and tells of each answer."""
    connection = client._connection  # noqa: SLF001 - the SDK pulls what it hears of, which is measured elsewhere
    watch = connection.stub(EventsServiceStub).WatchEvents
    async with connection.stream(watch, events_pb2.WatchEventsRequest(parent=MODEL)) as answers:
        async for answer in answers:
            heard.release()
            for event in answer.events:
                seen[event.revision] = time.perf_counter()


async def _start(url: str, count: int, stack: AsyncExitStack, heard: asyncio.Semaphore) -> "list[dict[int, float]]":
    """Watchers, each of which has heard where the log is."""
    seen: list[dict[int, float]] = []
    for _ in range(-(-count // _OVER_ONE)):
        client = await stack.enter_async_context(AsyncClient(url))
        for _ in range(min(_OVER_ONE, count - len(seen))):
            seen.append({})
            task = asyncio.create_task(_watch(client, seen[-1], heard))
            stack.callback(task.cancel)
    for _ in range(count):
        await heard.acquire()
    return seen


async def _reach(url: str) -> tuple[float, float]:
    """Seconds from the call that promotes until a watcher has heard of it: the median and the 99th percentile."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(AsyncClient(url))
        await client.models.create("fraud")
        heard = asyncio.Semaphore(0)
        seen = await _start(url, _WATCHERS, stack, heard)
        started: dict[int, float] = {}
        for number in range(_PROMOTIONS):
            started[number + 3] = time.perf_counter()
            await _promote(client, str(number))
            for _ in seen:
                await heard.acquire()
        delays = [each[revision] - moment for revision, moment in started.items() for each in seen]
        return statistics.median(delays), statistics.quantiles(delays, n=100)[98]


async def _idle(url: str, process: psutil.Process) -> tuple[float, float]:
    """MiB that the server grows by, and its share of a core."""
    before = process.memory_info().rss
    async with AsyncExitStack() as stack:
        await _start(url, _IDLE, stack, asyncio.Semaphore(0))
        grown = (process.memory_info().rss - before) / (1 << 20)
        await asyncio.sleep(2)  # what their start left to do
        used = sum(process.cpu_times()[:2])
        await asyncio.sleep(_IDLE_SECONDS)
        return grown, (sum(process.cpu_times()[:2]) - used) / _IDLE_SECONDS

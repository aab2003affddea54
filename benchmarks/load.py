"""Measures a server under load: how long its event loop is held up while it takes uploads, and what overload costs."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks import servers
from benchmarks.report import Row
from benchmarks.transfer import make_file
from modelyard import AsyncClient
from modelyard.v1 import registry_pb2, registry_pb2_grpc

_UPLOADS = 4
_SECONDS = 8.0
_PEAK_CALLERS = 32
_OVERLOAD_CALLERS = 4000


class Health:
    """Asks for the server's health all the time, over a connection of its own."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._times: list[float] = []

    async def watch_while(self, work: Awaitable[None]) -> None:
        async with grpc.aio.insecure_channel(self._address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            await stub.Check(health_pb2.HealthCheckRequest())
            running = asyncio.ensure_future(work)
            while not running.done():
                started = time.perf_counter()
                await stub.Check(health_pb2.HealthCheckRequest())
                self._times.append(time.perf_counter() - started)
                await asyncio.sleep(0.005)
            await running

    @property
    def p99(self) -> float:
        return statistics.quantiles(self._times, n=100)[98]


async def _upload(url: str, folder: Path, mib: int) -> None:
    async def one(number: int) -> None:
        async with AsyncClient(url, cache_dir=folder / f"cache-{number}") as client:
            await client.push(f"model-{number}", folder / f"weights-{number}", capture=False)

    for number in range(_UPLOADS):
        make_file(folder / f"weights-{number}", mib, tail=number + 1)
    await asyncio.gather(*(one(number) for number in range(_UPLOADS)))


async def _call(address: str, callers: int) -> tuple[int, int]:
    """How many calls were answered, and how many were shed with the advice to come back later."""
    answered = shed = 0
    end = time.perf_counter() + _SECONDS
    request = registry_pb2.GetNamespaceRequest(name="namespaces/default")

    async def caller(call: Callable[..., Awaitable[object]]) -> None:
        nonlocal answered, shed
        while time.perf_counter() < end:
            try:
                await call(request)
                answered += 1
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                    raise
                shed += 1
                await asyncio.sleep(0.1)

    channels = [grpc.aio.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) for _ in range(64)]
    stubs = [registry_pb2_grpc.RegistryServiceStub(channel) for channel in channels]
    await asyncio.gather(*(caller(stubs[number % len(stubs)].GetNamespace) for number in range(callers)))
    for channel in channels:
        await channel.close()
    return answered, shed


def run(mib: int = 512) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as name:
        folder = Path(name)
        with servers.modelyard(folder / "data") as (url, process):
            address = url.removeprefix("grpc://")
            uploading = Health(address)
            asyncio.run(uploading.watch_while(_upload(url, folder, mib)))
            yield Row(f"health p99 while {_UPLOADS} uploads run", f"{uploading.p99 * 1000:.0f} ms", "at most 50 ms")

            peak, _ = asyncio.run(_call(address, _PEAK_CALLERS))
            base = process.memory_info().rss
            asked = Health(address)
            counts: list[tuple[int, int]] = []

            async def overload() -> None:
                counts.append(await _call(address, _OVERLOAD_CALLERS))

            asyncio.run(asked.watch_while(overload()))
            (answered, shed) = counts[0]
            yield Row(
                f"{_OVERLOAD_CALLERS} callers at once: answered",
                f"{answered / _SECONDS:,.0f}/s",
                f"{_PEAK_CALLERS} callers {peak / _SECONDS:,.0f}/s",
                answered / peak,
                0.8,
            )
            yield Row(f"{_OVERLOAD_CALLERS} callers at once: told to come later", f"{shed / _SECONDS:,.0f}/s", "")
            yield Row(
                f"{_OVERLOAD_CALLERS} callers at once: health p99", f"{asked.p99 * 1000:.0f} ms", "at most 100 ms"
            )
            grown = process.memory_info().rss - base >> 20
            yield Row(f"{_OVERLOAD_CALLERS} callers at once: memory grown", f"{grown} MiB", "")

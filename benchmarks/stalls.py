"""Measures how long the event loop of a server is held up, at most, by the largest calls of 32 callers at once:

python -m benchmarks.stalls [--runs 3] [--url postgresql://…] [METHOD …]

One line for each method, with the medians of the runs: the longest stall, and the longest that the loop itself computed
between two looks at the clock. A stall is longer than that by what the loop waited for its turn: for threads of its
own process, and for other processes if the machine is busy. So its load is printed too, and the stall while nothing is
called.
"""

import argparse
import asyncio
import logging
import os
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import thread_time
from typing import Final

import grpc
import structlog
from tests.load.largest import CALLS, Stubs, fill, repeat
from tests.support.registry import running_registry

from modelyard_server.db import schema
from modelyard_server.db.engines.factory import create_engine, parse_url, sqlite_url

CALLERS: Final = 32
_TICK: Final = 0.001
_IDLE_SECONDS: Final = 2.0


class Stalls:
    """Watches the running loop. Times are in seconds."""

    def __init__(self) -> None:
        self.longest = 0.0
        self.computed = 0.0
        """The longest by the clock of the loop's thread, which stands still while another runs."""

    async def _watch(self) -> None:
        now = asyncio.get_running_loop().time
        while True:
            began, computed = now(), thread_time()
            await asyncio.sleep(_TICK)
            self.longest = max(self.longest, now() - began - _TICK)
            self.computed = max(self.computed, thread_time() - computed)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            task.cancel()


async def _measured(address: str, method: str) -> Stalls:
    stalls = Stalls()
    command = [sys.executable, "-m", "benchmarks.stalls", "--call", address, method]
    async with stalls.watched():
        client = await asyncio.create_subprocess_exec(*command)
        await client.wait()
    return stalls


async def _call(address: str, method: str) -> None:
    """In a process of its own: the callers."""
    async with grpc.aio.insecure_channel(address) as channel:
        stubs = Stubs.of(channel)
        calls = (CALLS[method](stubs, number) for number in range(CALLERS))
        failed = [each for each in await asyncio.gather(*calls, return_exceptions=True) if each is not None]
        errors = {each.code().name for each in failed if isinstance(each, grpc.aio.AioRpcError)}
    if errors:
        print(f"  {method}: some calls ended with {', '.join(sorted(errors))}")


async def _run(methods: list[str], runs: int, url: str) -> None:
    with tempfile.TemporaryDirectory(prefix="modelyard-stalls-") as folder:
        root = Path(folder)
        target = url or str(sqlite_url(root / "stalls.db"))
        engine = create_engine(parse_url(target))
        await schema.upgrade(engine)
        await engine.dispose()
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
        async with running_registry(target, root) as yard:
            await fill(Stubs.of(yard.channel))
            await yard.engine.migrate(repeat)
            idle = Stalls()
            async with idle.watched():
                await asyncio.sleep(_IDLE_SECONDS)
            print(f"idle: {idle.longest * 1000:.0f} ms, load {os.getloadavg()[0]:.1f}", flush=True)
            for method in methods:
                found = [await _measured(yard.address, method) for _ in range(runs)]
                longest = statistics.median(each.longest for each in found) * 1000
                computed = statistics.median(each.computed for each in found) * 1000
                load = os.getloadavg()[0]
                print(f"{method:18} {longest:5.0f} ms, computed {computed:4.0f} ms, load {load:.1f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--url", default="", help="an empty database; by default SQLite in a new folder")
    parser.add_argument("--call", metavar="ADDRESS", default="", help="calls the server there, as all callers")
    parser.add_argument("methods", nargs="*", default=[])
    given = parser.parse_args()
    if given.call:
        asyncio.run(_call(given.call, given.methods[0]))
    else:
        asyncio.run(_run(given.methods or list(CALLS), given.runs, given.url))


if __name__ == "__main__":
    main()

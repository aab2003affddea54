"""When the sweeps run."""

import asyncio
from datetime import datetime

import pytest
from tests.support.children import PATIENCE
from tests.support.registry import Clock

from modelyard_server.capability import Sweep
from modelyard_server.upkeep import sweeper
from modelyard_server.upkeep.sweeper import Sweeper


async def test_the_sweeps_run_soon_after_the_clock_was_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeper, "_LOOK_SECONDS", 0.001)
    rounds: asyncio.Queue[None] = asyncio.Queue()
    looks: asyncio.Queue[None] = asyncio.Queue()
    clock = Clock()

    def look() -> datetime:
        looks.put_nowait(None)
        return clock()

    async def count() -> int:
        rounds.put_nowait(None)
        return 0

    job = Sweeper([Sweep("rounds", count)], look)
    await job.start()
    try:
        async with asyncio.timeout(PATIENCE):
            await rounds.get()
            for _ in range(5):
                await looks.get()
            assert rounds.empty(), "the next round is minutes away"
            clock.advance(-3600)
            await rounds.get()
    finally:
        await job.stop()

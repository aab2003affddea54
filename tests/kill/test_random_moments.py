"""R1, R3, R11: killed at random moments under load, the server keeps what it acknowledged, and tears nothing."""

import asyncio
import random
from pathlib import Path

import pytest
from tests.support.fsck import assert_clean
from tests.support.scale import SCALE
from tests.support.server import ServerProcess
from tests.support.workload import Workload

_KILLS = 10


@pytest.mark.timeout(600 * SCALE)
async def test_a_server_killed_at_random_moments_loses_nothing(tmp_path: Path) -> None:
    moments = random.Random(20260301)
    server = ServerProcess(tmp_path).start()
    try:
        async with Workload(server.url, tmp_path / "clients", seed=1) as workload:
            for _ in range(_KILLS * SCALE):
                await workload.further(moments.randrange(1, 15))
                await asyncio.sleep(moments.uniform(0, 0.05))  # the moment itself: anywhere in what runs now
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(assert_clean, server)
                await asyncio.to_thread(server.start)
            await workload.further(10)
            while not workload.history.read:  # observers may have met only servers that were away
                await workload.further(1)
        await workload.verify()
        assert server.stop() == 0
        assert_clean(server)
    finally:
        server.close()

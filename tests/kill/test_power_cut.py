"""R2: the machine loses power; what was acknowledged is on the disk, database and bytes."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.support.fsck import assert_clean
from tests.support.loop_disk import LoopDisk, UnavailableDiskError, loop_disk
from tests.support.postgres import Postgres
from tests.support.scale import SCALE
from tests.support.server import ServerProcess
from tests.support.workload import Workload

_CUTS = 3 * SCALE


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[LoopDisk]:
    with ExitStack() as stack:
        try:
            mounted = stack.enter_context(loop_disk(tmp_path, 4 << 30))
        except UnavailableDiskError as error:
            pytest.skip(f"no disk to cut the power of: {error}; 'make test-long' as root, on Linux with ext4, has one")
        yield mounted


@pytest.fixture(params=["sqlite", "postgresql"])
def flags(request: pytest.FixtureRequest) -> list[str]:
    """Beside SQLite on the same disk a blob might be durable only because the database is: so also without it."""
    if request.param == "sqlite":
        return []
    cluster: Postgres = request.getfixturevalue("postgres")
    return ["--database-url", cluster.migrated()]


@pytest.mark.timeout(600 * SCALE)
async def test_acknowledged_changes_survive_a_power_cut(disk: LoopDisk, tmp_path: Path, flags: list[str]) -> None:
    moments = random.Random(20260304)
    server = ServerProcess(disk.path, *flags).start(fresh=True)  # a copied database would not be on the disk yet
    try:
        async with Workload(server.url, tmp_path / "clients", seed=2) as workload:
            for _ in range(_CUTS):
                await workload.further(moments.randrange(5, 25))
                await asyncio.sleep(moments.uniform(0, 0.05))  # the moment itself
                await asyncio.to_thread(server.freeze)  # what it has said by now is what it has promised
                await asyncio.to_thread(disk.cut)
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(disk.unmount)
                await asyncio.to_thread(disk.mount)
                await asyncio.to_thread(assert_clean, server)
                await asyncio.to_thread(server.start)
            await workload.further(10)
        await workload.verify()
        assert server.stop() == 0
        assert_clean(server, read_data=True)
    finally:
        server.close()

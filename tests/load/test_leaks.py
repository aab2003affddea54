"""What a server takes it gives back: files, threads and memory stay where they were, call after call."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from tests.support.scale import SCALE
from tests.support.server import ServerProcess

from modelyard import AsyncClient
from modelyard.errors import NotFoundError

_CALLS = 400 * SCALE
_PUSHES = 20 * SCALE
_MIB = 1 << 20


@dataclass(frozen=True)
class Use:
    files: int
    threads: int
    memory: int

    @classmethod
    def of(cls, server: ServerProcess) -> "Use":
        process = psutil.Process(server.pid)
        return cls(process.num_fds(), process.num_threads(), process.memory_info().rss)


async def _call(client: AsyncClient, count: int) -> None:
    async def some(number: int) -> None:
        for index in range(number):
            await client.namespaces.get("default")
            await client.models.update("fraud", labels={"n": str(index)})
            if index % 10 == 0:
                with pytest.raises(NotFoundError):
                    await client.resolve("absent")

    await asyncio.gather(*(some(count // 20) for _ in range(10)))


async def _push(client: AsyncClient, folder: Path, count: int) -> None:
    for index in range(count):
        file = folder / "weights"
        file.write_bytes(index.to_bytes(4, "big") * 200_000)
        version = await client.push("fraud", file, capture=False)
        await client.pull(version.name)


@pytest.mark.timeout(600 * SCALE)
async def test_files_threads_and_memory_come_back(server: ServerProcess, tmp_path: Path) -> None:
    async with AsyncClient(server.url, cache_dir=tmp_path / "cache", cache_bytes=10 * _MIB) as client:
        await client.models.create("fraud")
        # Pools and caches fill up first.
        await _call(client, 200)
        await _push(client, tmp_path, 10)
        before = Use.of(server)
        await _call(client, _CALLS)
        await _push(client, tmp_path, _PUSHES)
        after = Use.of(server)

    assert after.files <= before.files + 2
    assert after.threads <= before.threads + 2
    assert after.memory <= before.memory + 16 * _MIB

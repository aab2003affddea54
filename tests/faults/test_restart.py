"""Servers that are replaced while they work: nobody is refused, little is sent twice, and all may come back at once."""

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

from tests.support.fsck import assert_clean
from tests.support.proxy import chaos_proxy
from tests.support.roundtrip import assert_holds, assert_works, random_file
from tests.support.server import ServerProcess
from tests.support.waiting import until

from modelyard import AsyncClient

MIB = 1 << 20
_GRACE = 25
_RESENT = 8 * MIB
_CLIENTS = 500


class _Unary:
    """Small calls without a pause. No error is handled."""

    def __init__(self) -> None:
        self.calls = 0
        self._stopping = False

    async def work(self, client: AsyncClient, number: int) -> None:
        while not self._stopping:
            await client.aliases.set("fraud", f"alias-{number}", 1)
            assert (await client.aliases.get("fraud", f"alias-{number}")).version.number == 1
            await client.models.update(f"other-{number}", labels={"calls": str(self.calls)})
            self.calls += 3

    def stop(self) -> None:
        self._stopping = True


async def test_sigterm_fails_no_call_and_interrupts_an_upload_for_a_moment(
    server: ServerProcess, tmp_path: Path
) -> None:
    """F41, R15"""
    size = 64 * MIB
    small, large = random_file(tmp_path / "small", 1000), random_file(tmp_path / "large", size)
    async with (
        chaos_proxy(server.port) as proxy,
        AsyncClient(proxy.url, cache_dir=tmp_path / "uploader") as uploader,
        AsyncClient(server.url, cache_dir=tmp_path / "cache") as client,
    ):
        proxy.rate = 32 * MIB
        await client.push("fraud", small, capture=False)
        unary = _Unary()
        for number in range(8):
            await client.models.create(f"other-{number}")
        workers = [asyncio.create_task(unary.work(client, number)) for number in range(8)]
        push = asyncio.create_task(uploader.push("fraud", large, capture=False))
        await proxy.up.reached(size // 4)
        proxy.rate = MIB  # the upload does not end before the server does
        await until(lambda: unary.calls > 0)
        before = unary.calls
        started = time.monotonic()
        assert await asyncio.to_thread(server.stop) == 0
        assert time.monotonic() - started < _GRACE
        assert not push.done(), "there was no upload to interrupt"
        proxy.rate = 32 * MIB
        await asyncio.to_thread(server.start)
        assert (await push).number == 2
        unary.stop()
        await asyncio.gather(*workers)
        assert unary.calls > before
        assert proxy.up.forwarded < size * 1.02 + _RESENT
    await assert_holds(server.url, "fraud@2", large)
    await assert_works(server.url)


async def test_an_upload_outlives_a_server_that_is_killed_and_sends_little_twice(
    server: ServerProcess, tmp_path: Path
) -> None:
    """R3: after each kill -9 it goes on behind what the server had staged."""
    size, kills = 64 * MIB, 3
    source = random_file(tmp_path / "large", size)
    async with chaos_proxy(server.port) as proxy, AsyncClient(proxy.url, cache_dir=tmp_path / "cache") as client:
        proxy.rate = 32 * MIB
        push = asyncio.create_task(client.push("fraud", source, capture=False))
        for number in range(1, kills + 1):
            await proxy.up.reached(number * size // (kills + 1))
            assert not push.done(), "there was no upload to interrupt"
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
        assert (await push).number == 1
        assert proxy.up.forwarded < size * 1.02 + kills * _RESENT
    await assert_holds(server.url, "fraud@1", source)
    assert server.stop() == 0
    assert_clean(server)


async def test_all_clients_at_once_are_served_after_a_restart(server: ServerProcess, tmp_path: Path) -> None:
    """Each has a connection of its own for bytes; all find it broken at the same moment, and none gives up."""
    sources = [random_file(tmp_path / f"{n}.bin", 1000) for n in range(2)]
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(AsyncClient(server.url, cache_dir=tmp_path / f"cache-{n}"))
            for n in range(_CLIENTS)
        ]
        for source in sources:
            await clients[0].push("fraud", source, capture=False)
        gate = asyncio.Semaphore(50)

        async def connect(client: AsyncClient) -> None:
            async with gate:
                await client.pull("fraud@1")

        await asyncio.gather(*(connect(client) for client in clients))
        await asyncio.to_thread(server.kill)
        pulls = [asyncio.create_task(client.pull("fraud@2")) for client in clients]
        await asyncio.to_thread(server.start)
        for pull in asyncio.as_completed(pulls):
            pulled = await pull
            assert not pulled.stale
            assert (pulled.path / "1.bin").read_bytes() == sources[1].read_bytes()
    await assert_works(server.url)

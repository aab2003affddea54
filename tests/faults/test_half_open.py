"""Connections that die without a word: both sides notice, what they held is free again, and transfers go on."""

import asyncio
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.postgres import free_port
from tests.support.proxy import ChaosProxy, Mode, Way, chaos_proxy
from tests.support.roundtrip import assert_holds, assert_works, random_file
from tests.support.server import ServerProcess
from tests.support.waiting import until

from modelyard import AsyncClient

MIB = 1 << 20
_RESENT = 8 * MIB
_OVERHEAD = 1.02
_NOTICED = 30
"""Seconds until a server gives up a client that vanished."""
_REPLACED = 50
"""Seconds until a client does so, and goes on over another connection."""
_BUSY = 60
"""Seconds that a machine may add that is busy with other things."""


@pytest.fixture
def measured(tmp_path: Path) -> Iterator[tuple[ServerProcess, str]]:
    """A server, and where its metrics are."""
    admin = f"127.0.0.1:{free_port()}"
    server = ServerProcess(tmp_path, "--admin-listen", admin).start()
    yield server, f"http://{admin}/metrics"
    server.close()


def _in_flight(metrics: str) -> int:
    with urllib.request.urlopen(metrics) as response:
        lines = response.read().decode().splitlines()
    return int(sum(float(line.split()[1]) for line in lines if line.startswith("modelyard_rpcs_in_flight{")))


async def _vanish(server: ServerProcess, folder: Path, mode: Mode) -> None:
    """A push and a pull whose connections die without a word; both must end well."""
    size = 24 * MIB
    folder.mkdir()
    there, new = random_file(folder / "there.bin", size), random_file(folder / "new.bin", size)
    model = mode.name.lower()
    async with AsyncClient(server.url, cache_dir=folder / "first") as client:
        await client.push(model, there, capture=False)
    async with (
        chaos_proxy(server.port) as up,
        chaos_proxy(server.port) as down,
        AsyncClient(up.url, cache_dir=folder / "up") as pusher,
        AsyncClient(down.url, cache_dir=folder / "down") as puller,
    ):
        up.rate = down.rate = 40 * MIB
        push = asyncio.create_task(pusher.push(model, new, capture=False))
        pull = asyncio.create_task(puller.pull(f"{model}@1"))
        await asyncio.gather(_lose(up, up.up, mode), _lose(down, down.down, mode))
        started = time.monotonic()
        if mode is Mode.DROP:  # for those who are connected; others get through
            up.mode = down.mode = Mode.PASS
        await until(lambda: _ended(server, model), _NOTICED + _BUSY)
        up.mode = down.mode = Mode.PASS
        pulled = await pull
        await push
        assert time.monotonic() - started < _REPLACED + _BUSY
        assert up.up.forwarded < size * _OVERHEAD + _RESENT
        assert (pulled.path / "there.bin").read_bytes() == there.read_bytes()
    await assert_holds(server.url, f"{model}@2", new)


async def _lose(proxy: ChaosProxy, way: Way, mode: Mode) -> None:
    """Loses the connections of a transfer in its middle."""
    await way.reached(8 * MIB)
    proxy.mode = mode


def _ended(server: ServerProcess, model: str) -> bool:
    """Whether the server has given up the download that nobody took."""
    name = f"models/{model}/versions/1"
    return any('"ReadFile"' in line and name in line for line in server.log.read_text().splitlines())


async def test_connections_that_vanish_are_noticed_and_replaced(
    measured: tuple[ServerProcess, str], tmp_path: Path
) -> None:
    """F31, F33: the server frees what they held within half a minute; so it is for a client that was stopped."""
    server, metrics = measured
    await asyncio.gather(*(_vanish(server, tmp_path / mode.name, mode) for mode in (Mode.DROP, Mode.HOLD)))
    await until(lambda: _in_flight(metrics) == 0)
    await assert_works(server.url)

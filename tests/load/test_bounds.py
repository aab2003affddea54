"""The memory of a server does not grow with its data: for each method, and for several callers at once."""

import asyncio
from collections.abc import Iterator
from typing import Final

import grpc
import psutil
import pytest
from sqlalchemy import create_engine
from tests.load.largest import CALLS, LARGE_ROWS, Stubs, fill, long_methods, repeat
from tests.load.test_memory import Peak
from tests.support.scale import SCALE
from tests.support.server import ServerProcess

_MIB: Final = 1 << 20
_CALLERS: Final = 8 if SCALE > 1 else 3
# A caller's megabytes are tens of megabytes as objects, of which a few exist at once. All rows together are gigabytes.
_MOST: Final = 400 * _MIB
_BUSY: Final = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
"""What some of several callers may get from a slow machine. It is no question of memory."""


@pytest.fixture(scope="module")
def largest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with the largest content that is allowed, which all tests share."""
    server = ServerProcess(tmp_path_factory.mktemp("largest")).start()
    asyncio.run(_fill(server))
    (file,) = (server.folder / "data").glob("*.db")
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        repeat(connection)
    engine.dispose()
    # The memory that the writes needed is of no interest here.
    server.stop()
    server.start()
    yield server
    server.close()


@pytest.fixture(scope="module")
def fresh(largest: ServerProcess) -> int:
    """Bytes of the server before the first call."""
    return _memory(largest)


def _memory(server: ServerProcess) -> int:
    return int(psutil.Process(server.pid).memory_info().rss)


async def _fill(server: ServerProcess) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        await fill(Stubs.of(channel))


def test_every_method_with_a_long_answer_or_stream_is_called() -> None:
    assert {method.name for method in long_methods()} == set(CALLS)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("method", CALLS)
async def test_memory_is_bounded(largest: ServerProcess, fresh: int, method: str) -> None:
    """R17. For one caller, and for several at once; and all calls together leave no more behind than one may take."""
    peak = Peak()
    async with grpc.aio.insecure_channel(largest.address) as channel:
        stubs = Stubs.of(channel)
        with peak.watch(largest.pid):
            await CALLS[method](stubs, LARGE_ROWS - 1)
            calls = (CALLS[method](stubs, number) for number in range(_CALLERS))
            answers = await asyncio.gather(*calls, return_exceptions=True)

    for answer in answers:
        assert not isinstance(answer, BaseException) or _is_busy(answer), answer
    assert not all(isinstance(answer, BaseException) for answer in answers), "no call was answered"
    assert _memory(largest) - fresh <= _MOST
    assert peak.grown[largest.pid] <= _MOST


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, grpc.aio.AioRpcError) and error.code() in _BUSY

"""The private loop behind the synchronous client."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
import warnings
from collections.abc import AsyncIterator

import pytest

from modelyard import _loop
from modelyard._caller import on_caller, warn


async def fail() -> None:
    raise LookupError("why")


def test_a_call_returns_the_result_of_the_coroutine() -> None:
    async def double(value: int) -> int:
        await asyncio.sleep(0)
        return 2 * value

    assert _loop.run(double(2)) == 4
    with pytest.raises(LookupError, match="why"):
        _loop.run(fail())


async def test_it_works_where_an_event_loop_runs_already() -> None:
    assert _loop.run(asyncio.sleep(0, "result")) == "result"


def test_threads_call_side_by_side() -> None:
    meet = threading.Barrier(3)
    results = []

    async def wait_for_the_others() -> int:
        return await asyncio.to_thread(meet.wait, 20)

    threads = [
        threading.Thread(target=lambda: results.append(_loop.run(wait_for_the_others()))) for _ in range(meet.parties)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(results) == [0, 1, 2]


def test_ctrl_c_ends_the_coroutine_before_it_goes_on() -> None:
    ended = []

    async def interrupted() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(True)

    with pytest.raises(KeyboardInterrupt):
        _loop.run(interrupted())
    assert ended == [True]


def test_callbacks_are_called_by_the_thread_that_waits_and_may_call_again() -> None:
    seen = []

    def callback(value: int) -> None:
        seen.append((value, threading.current_thread(), _loop.run(asyncio.sleep(0, value))))

    async def tell() -> None:
        told = on_caller(callback)
        assert told is not None
        for value in range(3):
            told(value)
            await asyncio.sleep(0)

    _loop.run(tell())

    assert seen == [(value, threading.current_thread(), value) for value in range(3)]


def test_a_callback_that_raises_ends_the_call() -> None:
    ended = []

    def callback(_: int) -> None:
        raise LookupError("enough")

    async def tell() -> None:
        told = on_caller(callback)
        assert told is not None
        told(1)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    with pytest.raises(LookupError, match="enough"):
        _loop.run(tell())
    assert ended == [True]


def test_warnings_name_the_line_that_called() -> None:
    async def deprecated() -> None:
        warn("old", UserWarning)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _loop.run(deprecated())

    assert [(str(warning.message), warning.filename) for warning in caught] == [("old", __file__)]


def test_iterators_are_stepped_and_may_be_left() -> None:
    async def numbers() -> AsyncIterator[int]:
        for number in range(3):
            yield number

    assert list(_loop.iterate(numbers())) == [0, 1, 2]
    assert next(_loop.iterate(numbers())) == 0

    async def broken() -> AsyncIterator[int]:
        yield 1
        await fail()

    with pytest.raises(LookupError):
        list(_loop.iterate(broken()))


def test_a_process_ends_silently_while_its_threads_wait() -> None:
    script = textwrap.dedent("""
        import asyncio, threading
        from modelyard import _loop
        started = threading.Event()
        async def hang():
            started.set()
            await asyncio.Event().wait()
        threading.Thread(target=lambda: _loop.run(hang()), daemon=True).start()
        started.wait()
        _loop.run(asyncio.sleep(0))
    """)

    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", script],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")

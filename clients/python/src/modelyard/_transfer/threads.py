"""Disk and hash work, off the event loop.

A thread can't be cancelled. Whoever is cancelled while one works with its file descriptor waits for that thread before
closing it, else the thread goes on in whatever file gets the number next. So one hop does little: a batch, not a file.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import cache, partial
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

STREAMS: Final = 4
"""How many files travel at once."""


@cache
def _executor() -> ThreadPoolExecutor:
    # Not the loop's own: that one resolves host names too.
    return ThreadPoolExecutor(STREAMS, thread_name_prefix="modelyard-transfer")


# A child has the object, but none of its threads.
os.register_at_fork(after_in_child=_executor.cache_clear)


def start(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
    """Runs a function in a thread from now on. Await it shielded, then or else :func:`settle` it."""
    return asyncio.get_running_loop().run_in_executor(_executor(), partial(function, *args, **kwargs))


async def settle(future: asyncio.Future[T]) -> None:
    """Waits until a thread is done, whatever it came to, even if the waiter is cancelled meanwhile."""
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
    if not future.cancelled():
        future.exception()
    if cancelled:
        raise cancelled


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of a function that runs in a thread; if cancelled, raises once the thread is done."""
    future = start(function, *args, **kwargs)
    try:
        return await asyncio.shield(future)
    finally:
        await settle(future)


@asynccontextmanager
async def opened(open_: Callable[[], T], close: Callable[[T], None]) -> AsyncIterator[T]:
    """What ``open_`` returns; closed at the end, also if the caller is cancelled while a thread opens it."""
    pending = start(open_)
    try:
        yield await asyncio.shield(pending)
    finally:
        try:
            await settle(pending)
        finally:
            if pending.exception() is None:
                await in_thread(close, pending.result())


async def read_ahead(step: Callable[[], T | None]) -> AsyncGenerator[T, None]:
    """What ``step`` returns until it returns None; each next step runs in a thread while the caller uses the last.

    Close it with :func:`contextlib.aclosing`: the step that runs ahead must end before its file is closed.
    """
    pending = start(step)
    try:
        while (item := await asyncio.shield(pending)) is not None:
            pending = start(step)
            yield item
    finally:
        await settle(pending)


async def for_each(items: Iterable[T], work: Callable[[T], Awaitable[None]], *, width: int = STREAMS) -> None:
    """Does the work for each item, ``width`` at a time. The first error cancels the rest and is raised."""
    shared: Iterator[T] = iter(items)

    async def worker() -> None:
        for item in shared:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(width):
                group.create_task(worker())
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None

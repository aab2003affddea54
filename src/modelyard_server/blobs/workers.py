"""Runs blocking calls in threads. A cancelled caller always waits until its thread has ended."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from modelyard_server.blobs.disk import storage_error

P = ParamSpec("P")
T = TypeVar("T")


async def outlast(awaitable: Awaitable[T]) -> T:
    """Waits for a result, also if the caller is cancelled meanwhile. The caller is cancelled after that.

    A thread can't be cancelled. If the caller continued before the thread ended, it would close a descriptor in use,
    and the system would reuse its number for the next file.
    """
    future = asyncio.ensure_future(awaitable)
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait((future,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return future.result()
    if not future.cancelled():
        future.exception()  # or asyncio reports it as never retrieved
    raise cancelled


class Workers:
    """A bounded pool of threads. Not the event loop's own pool, where name lookups would queue behind an fsync."""

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="blobs")

    def start(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Runs ``call`` in a thread. Errors of the disk are raised as domain errors."""

        def translated() -> T:
            try:
                return call(*args, **kwargs)
            except OSError as error:
                raise storage_error(error) from error

        return asyncio.get_running_loop().run_in_executor(self._pool, translated)

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs ``call`` in a thread, and returns after the thread has ended."""
        return await outlast(self.start(call, *args, **kwargs))

    async def close(self) -> None:
        await asyncio.to_thread(self._pool.shutdown)

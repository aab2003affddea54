"""Blocking calls from the event loop: on threads of our own, and never left behind by a caller that is cancelled."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from modelyard_server.blobs.disk import storage_error

P = ParamSpec("P")
T = TypeVar("T")


async def outlast(awaitable: Awaitable[T]) -> T:
    """The result of something that is waited for even if the caller is cancelled meanwhile; only then is the caller.

    A thread cannot be cancelled. A caller that went on before it ended would close a descriptor that it writes to, and
    the system gives the same number to the next file.
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
        future.exception()  # or asyncio reports it as never seen
    raise cancelled


class Workers:
    """A bounded pool of threads. Not the event loop's own pool, where name lookups would queue behind an fsync."""

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="blobs")

    def start(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Runs ``call`` on a thread; what the disk does to it comes out as an error of the domain."""

        def translated() -> T:
            try:
                return call(*args, **kwargs)
            except OSError as error:
                raise storage_error(error) from error

        return asyncio.get_running_loop().run_in_executor(self._pool, translated)

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """One hop: runs ``call`` on a thread and returns when that ended, not earlier."""
        return await outlast(self.start(call, *args, **kwargs))

    async def close(self) -> None:
        await asyncio.to_thread(self._pool.shutdown)

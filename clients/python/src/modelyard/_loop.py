"""The event loop behind the synchronous client: one private thread in a process, started at the first call.

The synchronous gRPC stack streams several times slower than grpc.aio, so the synchronous client is a facade over the
asynchronous one, and works from any thread, also one that runs an event loop of its own.
"""

import asyncio
import atexit
import os
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

from modelyard._caller import Mail, mailbox
from modelyard._connection.fork import wait_until_over

_T = TypeVar("_T")

_EXIT_PATIENCE: Final = 5.0
"""Seconds that the end of the process waits for calls of other threads to be cancelled."""

_SIGNALS: Final = 0.5
"""Seconds after which a waiting thread looks for signals that it may have missed."""


class _LoopThread:
    """A running event loop on a thread of its own."""

    def __init__(self) -> None:
        self.ends = False
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, name="modelyard", daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.ends = True
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(_EXIT_PATIENCE)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
            tasks = asyncio.all_tasks(self.loop)
            for task in tasks:
                task.cancel()
            self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        finally:
            self.loop.close()


class _Process:
    """The loop thread of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: _LoopThread | None = None
        self._inherited: list[_LoopThread] = []

    def thread(self) -> _LoopThread:
        with self._lock:
            if self._thread is None:
                self._thread = _LoopThread()
            return self._thread

    def after_in_child(self) -> None:
        self._lock = threading.Lock()
        if self._thread is not None:
            # The thread did not come along. Its loop must not be closed: that would take the wake-up of the parent's
            # loop away, as both processes hold the same selector.
            self._inherited.append(self._thread)
            self._thread = None

    def close(self) -> None:
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.close()


_process: Final = _Process()
os.register_at_fork(after_in_child=_process.after_in_child)
atexit.register(_process.close)


def run(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """The result of a coroutine that runs on the private loop.

    If the wait is interrupted, as by Ctrl-C or by a callback that raises, the coroutine is cancelled, and has ended
    before the interrupt goes on.
    """
    wait_until_over()
    thread = _process.thread()
    box: SimpleQueue[Mail | None] = SimpleQueue()
    task: Future[asyncio.Task[_T]] = Future()
    context = copy_context()
    context.run(mailbox.set, box)

    def start() -> None:
        started = thread.loop.create_task(coroutine, context=context)
        started.add_done_callback(end)
        task.set_result(started)

    def end(done: asyncio.Task[_T]) -> None:
        if not done.cancelled():
            done.exception()  # else asyncio complains about one that nobody is left to look at
        # Only daemon threads still wait when the process ends. One that is woken would print a traceback.
        if not thread.ends:
            box.put(None)

    def cancel() -> None:
        if task.done():
            task.result().cancel()
        else:  # the interrupt came even before the start
            coroutine.close()
            box.put(None)

    try:
        thread.loop.call_soon_threadsafe(start)
        while (mail := _next(box)) is not None:
            mail()
    except BaseException:
        thread.loop.call_soon_threadsafe(cancel)
        while _next(box) is not None:
            pass
        raise
    return task.result().result()


def _next(box: SimpleQueue[Mail | None]) -> Mail | None:
    while True:
        # A signal that comes in the instant before a wait does not end the wait; the next turn sees it.
        with suppress(Empty):
            return box.get(timeout=_SIGNALS)


def iterate(iterator: AsyncIterator[_T]) -> Iterator[_T]:
    """What an asynchronous iterator gives, one step at a time."""
    while True:
        item = run(_step(iterator))
        if isinstance(item, _End):
            return
        yield item


class _End:
    """Stands for the end of an iterator."""


async def _step(iterator: AsyncIterator[_T]) -> _T | _End:
    return await anext(iterator, _End())

"""Forks: nothing of gRPC may be alive in a process in the moment it forks.

grpc.aio keeps a thread inside gRPC's core, waiting for events, for as long as one channel exists. Core's own support
for forks (``GRPC_ENABLE_FORK_SUPPORT``) steps aside when it finds such a thread, and a child that then uses gRPC hangs
or crashes, with new channels as with the old ones; so does one that merely frees an inherited channel, because that
waits for the thread, which no child has. Once the last channel is freed, though, gRPC shuts down entirely, threads and
all, within milliseconds, and starts anew at the next call, in the parent and in the child alike.

So before a fork each event loop that holds channels is asked to free them and to stand still until the fork is over,
and the fork waits until core's threads are gone: a child that is forked while they wind down hangs too, now and then. A
call under way keeps its channels, and is waited for briefly. If it lasts longer the process forks all the same, and the
child is told to stay away from gRPC: its calls fail with a clear error instead of hanging.

A loop without channels runs on, and may be about to open some. So channels are opened under a lock, which the fork
takes before it finds none, and keeps until it is over.

Core's threads are known by their names. A thread gets its name a moment after it starts, and on a busy machine a fork
hit that moment once in a thousand times: the thread that shuts core down held core's lock, and the child waited for it
for ever. So a thread that started just now and is not Python's counts as core's too. A client that was closed just
before a fork leaves such threads as well.

Even then core's own support must be off, as ``modelyard/__init__.py`` has it: while it says that it steps aside, its
event engine starts threads in the child that crash it, one time in four. A program that imports gRPC before Modelyard
sets the variable itself if it forks during calls.
"""

import asyncio
import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol
from weakref import WeakSet

from modelyard.errors import FailedPreconditionError

_PATIENCE: Final = 1.0
"""Seconds that a fork waits for calls under way."""
_WIND_DOWN: Final = 1.0
"""Seconds that a fork waits for threads of gRPC; those that stay longer serve somebody else."""
_RETRY: Final = 0.005
_STANDSTILL: Final = 10.0
"""Seconds after which a loop or a caller goes on though nobody woke it."""

_CORE_THREADS: Final = ("event_engine", "lifeguard", "grpc_")


class Holder(Protocol):
    """What holds channels, on one event loop."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop that the channels belong to; None if there are none."""
        ...

    def release(self) -> bool:
        """Frees the channels unless a call is under way, and tells whether none are left. Runs on the loop."""
        ...


class _Forks:
    """The forks of this process, one at a time."""

    def __init__(self) -> None:
        self.holders: WeakSet[Holder] = WeakSet()
        self.usable = True
        self.over = threading.Event()
        self.over.set()
        self.core_started = False
        """Whether channels were opened since core was last seen to have ended."""
        self.opening = threading.RLock()
        """Held while channels are opened, and by a fork."""
        self._one_at_a_time = threading.Lock()
        self._clean = True
        self._abandoned: list[Holder] = []

    def before(self) -> None:
        self._one_at_a_time.acquire()
        self.over = over = threading.Event()
        self._clean = True
        deadline = time.monotonic() + _PATIENCE
        self.opening.acquire()
        while self._clean and (by_loop := self._open_by_loop()):
            self.opening.release()  # a loop that waits for it could not free what it holds
            # A list: after one failure the others are freed all the same.
            self._clean = all([_release(loop, holders, over, deadline) for loop, holders in by_loop.items()])  # noqa: C419
            self.opening.acquire()
        if self.core_started and self._clean:
            _wait_for_core()
            self.core_started = False

    def _open_by_loop(self) -> dict[asyncio.AbstractEventLoop, list[Holder]]:
        by_loop: defaultdict[asyncio.AbstractEventLoop, list[Holder]] = defaultdict(list)
        for holder in list(self.holders):
            if (loop := holder.loop) is not None:
                by_loop[loop].append(holder)
        return by_loop

    def after_in_parent(self) -> None:
        self.opening.release()
        self.over.set()
        self._one_at_a_time.release()

    def after_in_child(self) -> None:
        self.usable = self.usable and self._clean
        # Kept for good: to free an inherited channel would hang.
        self._abandoned.extend(holder for holder in self.holders if holder.loop is not None)
        self.holders.clear()
        self.core_started = False
        self.over = threading.Event()
        self.over.set()
        self.opening = threading.RLock()
        self._one_at_a_time = threading.Lock()


def _release(
    loop: asyncio.AbstractEventLoop, holders: Iterable[Holder], over: threading.Event, deadline: float
) -> bool:
    """Frees the channels of one loop, which then stands still until the fork is over."""
    if loop is _running_loop() or not loop.is_running():
        return _release_all(holders)
    while True:
        released: Future[bool] = Future()
        with suppress(RuntimeError):  # it was closed meanwhile; the wait ends at the deadline
            loop.call_soon_threadsafe(_stand_still, holders, over, released)
        with suppress(TimeoutError):
            if released.result(max(deadline - time.monotonic(), _RETRY)):
                return True
        if time.monotonic() > deadline:
            return False
        time.sleep(_RETRY)


def _stand_still(holders: Iterable[Holder], over: threading.Event, released: Future[bool]) -> None:
    # A loop may come to this late: the fork is over, and the next one asks for itself.
    done = not over.is_set() and _release_all(holders)
    released.set_result(done)
    if done:
        over.wait(_STANDSTILL)


def _release_all(holders: Iterable[Holder]) -> bool:
    return all([holder.release() for holder in holders])  # noqa: C419 - all of them, also after a failure


def _wait_for_core() -> None:
    deadline = time.monotonic() + _WIND_DOWN
    while _core_lives() and time.monotonic() < deadline:
        time.sleep(_RETRY / 5)


def _core_lives() -> bool:
    """Whether a thread of gRPC's core runs. Only Linux tells; it is where programs fork."""
    of_python = {str(thread.native_id) for thread in threading.enumerate()}
    for task in Path("/proc/self/task").glob("*"):
        try:
            # "17 (name) S 1 ...": the state is the third field, and the start is the 22nd.
            name, _, fields = (task / "stat").read_text().partition("(")[2].rpartition(") ")
        except OSError:  # it ended meanwhile, and may have started another one, which this list lacks
            return True
        if name.startswith(_CORE_THREADS) or (task.name not in of_python and _is_young(int(fields.split()[19]))):
            return True
    return False


def _is_young(started: int) -> bool:
    """Of a thread by its start, in clock ticks since the system's boot."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK") < _WIND_DOWN


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


_forks: Final = _Forks()
os.register_at_fork(before=_forks.before, after_in_parent=_forks.after_in_parent, after_in_child=_forks.after_in_child)


@contextmanager
def opening(holder: Holder) -> Iterator[None]:
    """The block in which a holder opens channels: it is asked to release them before this process forks.

    While the process forks, it waits. Raises ``FailedPreconditionError`` in a process that was forked while a call was
    under way.
    """
    if not _forks.usable:
        raise FailedPreconditionError(
            "this process was forked while a call to the registry was under way, which leaves gRPC unusable in it; fork"
            " when no call is, or start workers by the 'spawn' or 'forkserver' method of multiprocessing",
            reason="FORKED_DURING_CALL",
        )
    with _forks.opening:
        _forks.holders.add(holder)
        _forks.core_started = True
        yield


def wait_until_over() -> None:
    """Lets a fork that waits for calls under way go first, else threads that call all the time would never let it."""
    _forks.over.wait(_STANDSTILL)

"""How long a stream may stand still before it is given up."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeVar, cast

import grpc
import grpc.aio

from modelyard._connection import readable
from modelyard.core.pace import MIN_BYTES_PER_SECOND, Pace
from modelyard.errors import ModelyardError, UnavailableError

Message = TypeVar("Message")

GRACE: Final = 60.0
"""Seconds in which a stream must move, and the time that a slow one may save up; see ``core.pace``."""
PROGRESS: Final = int(GRACE) * MIN_BYTES_PER_SECOND
"""Bytes that a transfer must gain before a stream that breaks counts as the first one again."""
_LOOKS: Final = 4
"""How often, within the grace period, a registry that takes nothing is asked how far it is."""


def too_slow(what: str) -> UnavailableError:
    """The error for a stream that was given up; the transfer goes on with another."""
    return UnavailableError(
        f"the registry {what} for {GRACE:.0f} s, or less than {MIN_BYTES_PER_SECOND} bytes a second",
        reason="STREAM_IDLE",
    )


async def paced(
    stream: "grpc.aio.UnaryStreamCall[Any, Message]", size: Callable[[Message], int]
) -> AsyncGenerator[Message, None]:
    """The messages of a stream. Raises ``TimeoutError`` if it stops, or moves less than the least bytes a second.

    ``size`` tells the bytes that a message stands for. The time that the caller takes for a message does not count.
    ``BadAnswerError`` for a message that can't be read.
    """
    clock, pace = asyncio.get_running_loop().time, Pace(GRACE)
    while True:
        began = clock()
        async with asyncio.timeout(pace.seconds):
            message = await stream.read()
        if message is grpc.aio.EOF:
            return
        found = readable(cast("Message", message))
        pace.waited(clock() - began, size(found))
        yield found


class Silence:
    """The time since an upload's stream has moved."""

    def __init__(self, timeout: asyncio.Timeout) -> None:
        self._timeout = timeout
        self._clock = asyncio.get_running_loop().time
        self._allowed = GRACE
        self._moved = self._clock()
        self._end = self._moved + GRACE

    def moved(self, allowed: float = 0.0) -> None:
        """Begins a step that may take ``allowed`` seconds, the grace period by default."""
        self._allowed = allowed or GRACE
        self._moved = self._clock()
        self._extend_to(self._moved + self._allowed)

    async def ask(self, rehashed: Callable[[], Awaitable[int]]) -> None:
        """Extends the time while the registry reads again what it has, as long as it gets on with that.

        ``rehashed`` tells no more bytes than the registry can have. They earn time at the least pace, so all of them
        together earn no more than reading them once may take.
        """
        best, interval = 0, GRACE / _LOOKS
        while True:
            await asyncio.sleep(interval)
            if self._clock() - self._moved < interval:
                continue
            with suppress(ModelyardError):  # it stays as it is: the time runs out
                done = await rehashed()
                if done - best >= interval * MIN_BYTES_PER_SECOND:
                    earned = (done - best) / MIN_BYTES_PER_SECOND
                    best = done
                    self._extend_to(min(self._end + earned, self._clock() + self._allowed))

    def _extend_to(self, end: float) -> None:
        self._end = end
        self._timeout.reschedule(end)


@asynccontextmanager
async def bounded(rehashed: Callable[[], Awaitable[int]]) -> AsyncIterator[Silence]:
    """Raises ``TimeoutError`` in the block if its stream stands still. ``rehashed`` tells the bytes read again."""
    async with asyncio.timeout(GRACE) as timeout:
        silence = Silence(timeout)
        asking = asyncio.create_task(silence.ask(rehashed))
        try:
            yield silence
        finally:
            asking.cancel()
            await asyncio.wait([asking])

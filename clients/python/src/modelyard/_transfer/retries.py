"""When to go on with a transfer that broke, and after which pause."""

import asyncio
import random
from typing import Final

from modelyard._connection import PATIENCE
from modelyard.errors import DeadlineExceededError, ModelyardError, ServerError, UnavailableError

_ATTEMPTS: Final = 6
"""In a row, without progress, at a registry that answers."""
_AWAY: Final = frozenset({"UNAVAILABLE", "DRAINING"})
"""The registry can't be reached, or stops. It has answered before a transfer, and is given the time of a restart."""
_LONGEST_PAUSE_AWAY: Final = 1.0
_FIRST_PAUSE: Final = 0.1
"""Seconds; doubled with each failure."""
_LONGEST_PAUSE: Final = 30.0
"""Seconds; also where a server asks for more, so that it can't hold its clients for ever."""
_INTERRUPTIONS: Final = frozenset({"CHUNK_CORRUPT", "OFFSET_MISMATCH", "UPLOAD_BUSY", "WRITE_CONFLICT"})
_BROKEN: Final = frozenset({"INTERNAL", "UNKNOWN"})

_random = random.SystemRandom()


class Backoff:
    """Counts failures since the last progress of one transfer, and pauses longer after each."""

    def __init__(self, progress: int = 1) -> None:
        """``progress``: by how much a position must be better than the best before it, for failures to be forgotten.

        With a byte, a registry that lets one drip now and then would be asked for ever.
        """
        self._progress = progress
        self._best = 0
        self._failures = 0
        self._since = 0.0

    def reached(self, position: int) -> None:
        """Notes a position."""
        if position - self._best >= self._progress:
            self._best = position
            self._failures = 0

    async def pause(self, error: ModelyardError) -> None:
        """Waits before the next attempt; raises the error if there should be none."""
        if not is_interruption(error):
            raise error
        now = asyncio.get_running_loop().time()
        self._failures += 1
        if self._failures == 1:
            self._since = now
        is_away = error.reason in _AWAY
        if self._failures >= _ATTEMPTS and not (is_away and now < self._since + PATIENCE):
            raise error
        longest = _LONGEST_PAUSE_AWAY if is_away else _LONGEST_PAUSE
        # Full jitter: clients that one restart threw out must not come back together.
        delay = _random.uniform(0, min(_FIRST_PAUSE * 2 ** (self._failures - 1), longest))
        await asyncio.sleep(min(max(delay, error.retry_after or 0), _LONGEST_PAUSE))


def is_interruption(error: ModelyardError) -> bool:
    """Whether the transfer may just go on. Not so for a full disk: that waits for a person."""
    if isinstance(error, UnavailableError | DeadlineExceededError) or error.reason in _INTERRUPTIONS:
        return True
    # The registry gives each bug of its own an id. Without one, the connection broke, here or in some proxy.
    return isinstance(error, ServerError) and error.reason in _BROKEN and not error.error_id

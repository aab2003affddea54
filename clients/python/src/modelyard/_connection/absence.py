"""Says that a registry is away while calls try again, and that it is back: else a program only seems to hang.

Programs hear it from the logger ``modelyard.connection``, at the level WARNING. Python prints that to stderr unless the
program sets up logging of its own.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from typing import Final

from modelyard._config import Endpoint
from modelyard._connection.channels import Channels
from modelyard._connection.diagnosis import diagnose

NOTICED_AFTER: Final = 1.0
"""Seconds without an answer or a connection until a waiting caller gets a log record."""
_AGAIN: Final = 60.0
"""Seconds between two records of the same absence, for any number of calls."""
_POLL: Final = 0.1
_log: Final = logging.getLogger("modelyard.connection")


class Absence:
    """Logs that one registry is away, once for all calls of one loop."""

    def __init__(self, endpoint: Endpoint, channels: Channels) -> None:
        self._endpoint = endpoint
        self._channels = channels
        self._broken: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._told: float | None = None

    @contextmanager
    def watched(self, give_up: float | None) -> Iterator[None]:
        """A call. Logs the absence if it waits for longer than a second without a connection.

        ``give_up`` is the time of the loop at which the call ends trying; None if it is not known.
        """
        timer = asyncio.get_running_loop().call_later(NOTICED_AFTER, self._look, give_up)
        try:
            yield
        finally:
            timer.cancel()

    def suspect(self) -> None:
        """A stream broke, and may be resumed. Logs the absence if there is no connection in a second."""
        if self._broken is None:
            self._broken = asyncio.get_running_loop().call_later(NOTICED_AFTER, self._look, None)

    def dismiss(self) -> None:
        """No caller waits for the registry any more."""
        for pending in (self._broken, self._task):
            if pending is not None:
                pending.cancel()
        self._broken = self._task = None

    def end(self) -> None:
        """The registry has answered."""
        if self._told is not None:
            away = NOTICED_AFTER + asyncio.get_running_loop().time() - self._told
            self._told = None
            _log.warning("%s answers again, after %.0f s.", self._endpoint.server, away)

    def _look(self, give_up: float | None) -> None:
        self._broken = None
        if (self._task is None or self._task.done()) and not self._channels.connected:
            self._task = asyncio.get_running_loop().create_task(self._follow(give_up))

    async def _follow(self, give_up: float | None) -> None:
        clock = asyncio.get_running_loop().time
        if self._told is None or clock() - self._told > _AGAIN:
            why = await diagnose(self._endpoint)
            if self._channels.connected:
                return
            self._told = clock()
            reason = "no connection can be made" if why is None else why.partition(". ")[0].rstrip(".")
            limit = "" if give_up is None else f" for up to {max(1, ceil(give_up - clock()))} s"
            _log.warning("%s does not answer: %s. Trying again%s.", self._endpoint.server, reason, limit)
        while not self._channels.connected:  # noqa: ASYNC110 - gRPC's own wait can't be cancelled without a leak
            await asyncio.sleep(_POLL)
        self.end()

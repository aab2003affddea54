"""Removes expired data every few minutes, and soon after the clock was put back."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import structlog

from modelyard_server.calls.caller import Clock
from modelyard_server.calls.errors import RegistryError
from modelyard_server.capability import Sweep
from modelyard_server.jobs import Job

_log: Final = structlog.get_logger("modelyard.server")
_INTERVAL_SECONDS: Final = 600.0
_LOOK_SECONDS: Final = 10.0
"""Interval at which a clock that was put back is noticed."""


class Sweeper(Job):
    """Runs the sweeps of all capabilities, one after the other."""

    def __init__(self, sweeps: Sequence[Sweep], clock: Clock) -> None:
        self._sweeps = sweeps
        self._clock = clock
        self._sweeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._sweeping = asyncio.create_task(self._sweep_for_ever())

    async def stop(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._sweeping

    async def sweep(self) -> dict[str, int]:
        """Runs all sweeps. Returns the number of removals of each."""
        return {sweep.name: await sweep.run() for sweep in self._sweeps}

    async def _sweep_for_ever(self) -> None:
        while True:
            try:
                taken = {name: count for name, count in (await self.sweep()).items() if count}
                if taken:
                    _log.info("swept", **taken)
            except RegistryError as error:  # the disk or the database is down: the next round tries again
                _log.warning("sweep failed", reason=error.reason)
            await self._rest()

    async def _rest(self) -> None:
        """Waits for the next round. It comes early if the clock was put back, because then stored times are wrong."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _INTERVAL_SECONDS
        while loop.time() < end:
            before = self._clock()
            await asyncio.sleep(_LOOK_SECONDS)
            if self._clock() < before:
                _log.warning("the clock was put back", seconds=round((before - self._clock()).total_seconds()))
                return

"""The health service: NOT_SERVING while the database or the store is down, and from the beginning of a drain.

Probes run in the background, so that a health check costs nothing and always answers at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

import grpc
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio

from modelyard_server.calls.errors import RegistryError, Unavailable
from modelyard_server.telemetry import Metrics

Probe = Callable[[], Awaitable[None]]
"""Asks one thing that the server needs for a sign of life. Raises ``Unavailable`` if it is down."""

EVERY: Final = 2.0
"""Seconds between two rounds of probes."""
_PATIENCE: Final = 3.0
"""Seconds for one answer."""
_ROUNDS: Final = 2
"""Rounds in a row that must agree before health changes: one slow answer takes no server out of its balancer."""

_log: Final = structlog.get_logger("modelyard.health")


class _Watched:
    """One thing that is probed, and whether it is up."""

    def __init__(self, name: str, probe: Probe) -> None:
        self.name = name
        self.up = True
        self._probe = probe
        self._asking: asyncio.Future[None] | None = None
        self._differing = 0

    async def look(self) -> None:
        """Probes once. ``up`` changes when enough rounds in a row say so."""
        if await self._answers() == self.up:
            self._differing = 0
            return
        self._differing += 1
        if self._differing >= _ROUNDS:
            self.up, self._differing = not self.up, 0
            (_log.info if self.up else _log.error)("back" if self.up else "down", part=self.name)

    async def _answers(self) -> bool:
        # A probe may hang in a thread, which nobody can cancel. Then the next round waits for the same one.
        if self._asking is None:
            self._asking = asyncio.ensure_future(self._probe())
        done, _ = await asyncio.wait((self._asking,), timeout=_PATIENCE)
        if not done:
            return False
        asked, self._asking = self._asking, None
        error = asked.exception()
        if error is not None and not isinstance(error, RegistryError):
            _log.error("probe failed", part=self.name, exc_info=error)
        # Busy or full is not down: other calls still work, and a balancer has nothing better to offer.
        return not isinstance(error, Unavailable)

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._asking


def _is_up(watched: _Watched) -> float:
    return float(watched.up)


class Health:
    """What the health service says, as a whole and of each service."""

    def __init__(self, services: Sequence[str], probes: Mapping[str, Probe], metrics: Metrics) -> None:
        self._names = ("", *services)
        self._servicer = health_aio.HealthServicer()
        self._watched = [_Watched(name, probe) for name, probe in probes.items()]
        self._watching: asyncio.Task[None] | None = None
        self._serving = True
        metrics.gauges(
            "modelyard_up",
            "1 if this part answers, 0 if it is down: `database`, `store`.",
            "part",
            {watched.name: partial(_is_up, watched) for watched in self._watched},
        )

    def add_to(self, server: grpc.aio.Server) -> None:
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    async def start(self) -> None:
        """Says SERVING: whoever starts a server has just used its database and its store."""
        await self._tell()
        self._watching = asyncio.create_task(self._watch())

    async def look(self) -> None:
        """One round of probes."""
        await asyncio.gather(*(watched.look() for watched in self._watched))
        serving = all(watched.up for watched in self._watched)
        if serving != self._serving:
            self._serving = serving
            await self._tell()

    async def end(self) -> None:
        """Says NOT_SERVING, for good."""
        await self._servicer.enter_graceful_shutdown()
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
            for watched in self._watched:
                await watched.close()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            await self.look()

    async def _tell(self) -> None:
        status = health_pb2.HealthCheckResponse.SERVING if self._serving else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in self._names:
            await self._servicer.set(name, status)

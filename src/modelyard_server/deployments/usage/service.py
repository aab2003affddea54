"""Counts how versions are used: in memory, stored every few seconds. It costs a call no statement, and fails none."""

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from modelyard_server.calls.errors import RegistryError
from modelyard_server.deployments.usage.repository import UsageRepository
from modelyard_server.deployments.usage.values import VersionUse
from modelyard_server.jobs import Job
from modelyard_server.log.changes import Mutations

_log: Final = structlog.get_logger("modelyard.server")
_SECONDS: Final = 5.0
# Between two that come early, also while the database is away.
_PAUSE: Final = 1.0


class UsageCounter(Job):
    """What was used since it was last stored. Bounded: while the database is away, what finds no room is lost."""

    def __init__(self, mutations: Mutations) -> None:
        self._database = mutations.database
        self._clock = mutations.clock
        self._room = mutations.limits.usage_versions
        self._uses: dict[int, VersionUse] = {}
        self._full = asyncio.Event()
        self._flushing: asyncio.Task[None] | None = None

    def used(self, version_key: int) -> None:
        """A reference was resolved to a version, or something of it is read."""
        self._count(version_key, VersionUse(self._clock()))

    def downloaded(self, version_key: int) -> None:
        """A version is fetched by somebody who had nothing of it."""
        now = self._clock()
        self._count(version_key, VersionUse(now, 1, now))

    def _count(self, version_key: int, use: VersionUse) -> None:
        before = self._uses.get(version_key)
        if before is None and len(self._uses) >= self._room:
            return
        self._uses[version_key] = use if before is None else before + use
        if len(self._uses) >= self._room:
            self._full.set()

    async def flush(self) -> None:
        """Stores what was counted; what can't be stored now is kept for the next time."""
        uses, self._uses = self._uses, {}
        self._full.clear()
        if not uses:
            return
        try:
            await self._database.write(lambda transaction: UsageRepository(transaction).add(uses))
        except RegistryError as error:
            _log.warning("usage not stored", reason=error.reason)
            for key, use in uses.items():
                self._count(key, use)

    async def start(self) -> None:
        self._flushing = asyncio.create_task(self._flush_for_ever())

    async def stop(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
            with suppress(asyncio.CancelledError):
                await self._flushing

    async def finish(self) -> None:
        await self.flush()

    async def _flush_for_ever(self) -> None:
        """Stores every few seconds, sooner if much was counted."""
        while True:
            await asyncio.sleep(_PAUSE)
            with suppress(TimeoutError):
                async with asyncio.timeout(_SECONDS - _PAUSE):
                    await self._full.wait()
            await self.flush()

"""Counts the uses of versions in memory, and stores them every few seconds. A call needs no statement for it."""

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
_FLUSH_SECONDS: Final = 5.0
# Seconds between two early flushes, also while the database is unreachable.
_MIN_PAUSE_SECONDS: Final = 1.0


class UsageCounter(Job):
    """Counts since the last flush. Bounded: while the database is unreachable, counts of further versions are lost."""

    def __init__(self, mutations: Mutations) -> None:
        self._database = mutations.database
        self._clock = mutations.clock
        self._room = mutations.limits.usage_versions
        self._uses: dict[int, VersionUse] = {}
        self._full = asyncio.Event()
        self._flushing: asyncio.Task[None] | None = None

    def used(self, version_key: int) -> None:
        """Counts a resolution of a reference to the version, or a read of its files."""
        self._count(version_key, VersionUse(self._clock()))

    def downloaded(self, version_key: int) -> None:
        """Counts a download of the version by a client that had none of its files."""
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
        """Stores the counts. If the database is unreachable, they are kept for the next flush."""
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
        self._flushing = asyncio.create_task(self._flush_periodically())

    async def stop(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
            with suppress(asyncio.CancelledError):
                await self._flushing

    async def finish(self) -> None:
        await self.flush()

    async def _flush_periodically(self) -> None:
        """Flushes every few seconds, or earlier if many versions have counts."""
        while True:
            await asyncio.sleep(_MIN_PAUSE_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(_FLUSH_SECONDS - _MIN_PAUSE_SECONDS):
                    await self._full.wait()
            await self.flush()

"""Ends expired deployments, and those that a clock that was put back would keep alive."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from modelyard.core.times import CLOCK_SKEW
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.deployments.repository import DeploymentRepository
from modelyard_server.deployments.service import expire
from modelyard_server.log.changes import Mutations

_BATCH: Final = 100


@dataclass(frozen=True, slots=True)
class ExpireDeployments:
    mutations: Mutations

    async def __call__(self) -> int:
        """Ends expired deployments, a hundred per transaction, each with its event. Returns their number."""
        expired = 0
        while count := await self.mutations.database.write(self._expire):
            expired += count
        return expired

    async def _expire(self, transaction: Transaction) -> int:
        silent = await DeploymentRepository(transaction).expired(self.mutations.clock(), _BATCH)
        for deployment in silent:
            await expire(self.mutations, transaction, deployment)
        return len(silent)


@dataclass(frozen=True, slots=True)
class ShortenLeases:
    """Shortens leases that end later than any heartbeat until now could make them end.

    A heartbeat in the future was stored before a clock was put back. Its consumer may be alive or dead, so the lease
    begins again now: a living consumer sends a heartbeat in time, a dead one expires.
    """

    mutations: Mutations

    async def __call__(self) -> int:
        """Shortens these leases, a hundred per transaction. Returns their number."""
        shortened = 0
        while count := await self.mutations.database.write(self._shorten):
            shortened += count
        return shortened

    async def _shorten(self, transaction: Transaction) -> int:
        now = self.mutations.clock()
        deployments = DeploymentRepository(transaction)
        ahead = await deployments.ahead(now + CLOCK_SKEW, _BATCH)
        for each in ahead:
            lease = replace(each, heartbeat_time=now, expire_time=now + timedelta(seconds=each.ttl))
            await deployments.update(lease)
        return len(ahead)

"""Ends expired deployments."""

from dataclasses import dataclass
from typing import Final

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

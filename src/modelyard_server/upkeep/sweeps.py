"""Removes stored outcomes of requests that are too old for a retry."""

from dataclasses import dataclass
from datetime import timedelta

from modelyard_server.db.requests import RequestRepository
from modelyard_server.log.changes import Mutations


@dataclass(frozen=True, slots=True)
class ForgetRequests:
    mutations: Mutations

    async def __call__(self) -> int:
        oldest = self.mutations.clock() - timedelta(seconds=self.mutations.limits.request_id_ttl)
        return await self.mutations.database.write(lambda transaction: RequestRepository(transaction).sweep(oldest))

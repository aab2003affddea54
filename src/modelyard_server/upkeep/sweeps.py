"""What time takes away: expired uploads, staged bytes of no upload, silent deployments, outcomes that are too old."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from modelyard_server import failpoints
from modelyard_server.blobs.store import BlobStore
from modelyard_server.db.protocols import Transaction
from modelyard_server.deployments.service import expire
from modelyard_server.log.changes import Mutations
from modelyard_server.registry.values import Upload

_BATCH: Final = 100


@dataclass(frozen=True, slots=True)
class Maintenance:
    mutations: Mutations
    store: BlobStore

    async def sweep(self) -> int:
        """Does all that is due; the number of uploads that expired."""
        now = self.mutations.clock()
        oldest = now - timedelta(seconds=self.mutations.limits.request_id_ttl)
        await self.mutations.database.write(lambda transaction: transaction.requests.sweep(oldest))
        expired = 0
        while batch := await self._expire_batch():
            failpoints.hit("expiry.after_commit")
            for upload in batch:
                await self.store.discard(upload.name.upload)
                failpoints.hit("expiry.after_discard")
            expired += len(batch)
        await self._discard_unknown()
        while await self.mutations.database.write(self._expire_deployments):
            continue
        while await self.mutations.database.write(lambda transaction: transaction.events.forget(_BATCH)):
            continue
        ended = now - timedelta(seconds=self.mutations.limits.delivery_ttl)
        while await self.mutations.database.write(lambda transaction: transaction.deliveries.forget(ended, _BATCH)):
            continue
        return expired

    async def _expire_batch(self) -> list[Upload]:
        async def work(transaction: Transaction) -> list[Upload]:
            batch = await transaction.uploads.expired(self.mutations.clock(), _BATCH)
            for upload in batch:
                await transaction.uploads.remove(upload.name)
            return batch

        return await self.mutations.database.write(work)

    async def _expire_deployments(self, transaction: Transaction) -> int:
        silent = await transaction.deployments.expired(self.mutations.clock(), _BATCH)
        for deployment in silent:
            await expire(self.mutations, transaction, deployment)
        return len(silent)

    async def _discard_unknown(self) -> None:
        batch: list[str] = []
        async for staged in self.store.staged():
            batch.append(staged)
            if len(batch) == _BATCH:
                await self._discard_without_row(batch)
                batch = []
        if batch:
            await self._discard_without_row(batch)

    async def _discard_without_row(self, staged: list[str]) -> None:
        known = await self.mutations.database.read(lambda transaction: transaction.uploads.known(staged))
        for upload in staged:
            if upload not in known:
                await self.store.discard(upload)

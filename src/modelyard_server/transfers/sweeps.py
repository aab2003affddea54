"""Removes expired uploads, and staged bytes without an upload."""

from dataclasses import dataclass
from typing import Final

from modelyard_server import failpoints
from modelyard_server.blobs.store import BlobStore
from modelyard_server.db.unit_of_work import Database, Transaction
from modelyard_server.log.changes import Mutations
from modelyard_server.transfers.uploads.repository import UploadRepository
from modelyard_server.transfers.uploads.values import Upload

_BATCH: Final = 100


@dataclass(frozen=True, slots=True)
class ExpireUploads:
    mutations: Mutations
    store: BlobStore

    async def __call__(self) -> int:
        """Removes expired uploads, then their bytes. Returns their number."""
        expired = 0
        while batch := await self.mutations.database.write(self._remove):
            failpoints.hit("expiry.after_commit")
            for upload in batch:
                await self.store.discard(upload.name.upload)
                failpoints.hit("expiry.after_discard")
            expired += len(batch)
        return expired

    async def _remove(self, transaction: Transaction) -> list[Upload]:
        uploads = UploadRepository(transaction)
        batch = await uploads.expired(self.mutations.clock(), _BATCH)
        for upload in batch:
            await uploads.remove(upload.name)
        return batch


@dataclass(frozen=True, slots=True)
class DiscardStrays:
    database: Database
    store: BlobStore

    async def __call__(self) -> int:
        """Removes staged bytes of uploads without a row. Returns the number of those uploads."""
        discarded = 0
        batch: list[str] = []
        async for staged in self.store.staged():
            batch.append(staged)
            if len(batch) == _BATCH:
                discarded += await self._discard(batch)
                batch = []
        return discarded + (await self._discard(batch) if batch else 0)

    async def _discard(self, staged: list[str]) -> int:
        known = await self.database.read(lambda transaction: UploadRepository(transaction).known(staged))
        strays = [upload for upload in staged if upload not in known]
        for upload in strays:
            await self.store.discard(upload)
        return len(strays)

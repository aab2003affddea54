"""Reads the bytes of versions. Bytes are read through a version: a digest alone gives no right to read."""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from modelyard.core.manifest import File
from modelyard.core.names import NamespaceName, VersionName
from modelyard_server.blobs.store import BlobKey, BlobStore, Chunk
from modelyard_server.calls.caller import Caller
from modelyard_server.calls.errors import (
    DataLoss,
    FieldViolation,
    InvalidArgument,
    NotFound,
    OutOfRange,
    blob_corrupt,
)
from modelyard_server.db.unit_of_work import Database, Transaction
from modelyard_server.registry import lookup
from modelyard_server.registry.guards import UseListener
from modelyard_server.registry.versions.repository import VersionRepository
from modelyard_server.transfers.blobs.damage import DamagedBlobs
from modelyard_server.transfers.blobs.repository import BlobRepository
from modelyard_server.transfers.downloads.largest import LargestFiles


@dataclass(frozen=True, slots=True)
class Downloads:
    database: Database
    store: BlobStore
    damaged: DamagedBlobs
    chunk_bytes: int
    batch_bytes: int
    largest: LargestFiles
    listeners: tuple[UseListener, ...]

    async def read(
        self, caller: Caller, name: VersionName, *, path: str | None, digest: str | None, offset: int, limit: int
    ) -> AsyncGenerator[Sequence[Chunk], None]:
        """``limit`` bytes from ``offset``, or all if ``limit`` is 0. No transaction is open during the transfer."""

        async def work(transaction: Transaction) -> tuple[File, BlobKey, int, bool]:
            version = await lookup.servable(transaction, name)
            file = await VersionRepository(transaction).file(version.key, path=path, digest=digest)
            if file is None:
                raise _file_not_found(name, repr(path or digest))
            key = _present(await BlobRepository(transaction).live([file.digest]), file.digest)
            return file, key, version.key, not offset and await self._is_download(transaction, version.key, [file])

        file, key, version_key, download = await self.database.look(work)
        if offset > file.size:
            raise OutOfRange(
                f"{file.path!r} has {file.size} bytes, but the read starts at {offset}. Start at or before its end.",
                reason="READ_PAST_END",
                metadata={"readOffset": str(offset), "sizeBytes": str(file.size)},
            )
        self._count(version_key, download=download)
        rest = file.size - offset
        return self._read(name, key, offset=offset, limit=min(limit, rest) if limit else rest)

    async def _read(
        self, name: VersionName, key: BlobKey, *, offset: int, limit: int
    ) -> AsyncGenerator[Sequence[Chunk], None]:
        position = offset
        while True:
            batches = self.store.read(
                key, offset=position, limit=offset + limit - position, chunk_bytes=self.chunk_bytes
            )
            try:
                async with aclosing(batches):
                    async for batch in batches:
                        position += sum(len(chunk.data) for chunk in batch)
                        yield batch
            except DataLoss:
                # A push may have replaced it since it was looked up: the same bytes are elsewhere then.
                (now,) = await self._replaced(name, [key])
                if now == key:
                    raise
                key = now
            else:
                return

    async def _replaced(self, name: VersionName, keys: Sequence[BlobKey]) -> list[BlobKey]:
        """Where the bytes of blobs that could not be read are by now. Reports those that are damaged."""
        digests = {key.digest for key in keys}
        await self.damaged.damaged_among(NamespaceName(name.model.namespace), digests)
        live = await self.database.read(lambda transaction: BlobRepository(transaction).live(digests))
        return [live.get(key.digest, key) for key in keys]

    async def read_batch(self, caller: Caller, name: VersionName, paths: Sequence[str]) -> Sequence[Chunk]:
        """Whole small files of a version, in the requested order."""

        async def work(transaction: Transaction) -> tuple[list[BlobKey], int, bool]:
            version = await lookup.servable(transaction, name)
            files = await VersionRepository(transaction).files_at(version.key, paths)
            for path in paths:
                if path not in files:
                    raise _file_not_found(name, repr(path))
            total = sum(file.size for file in files.values())
            if total > self.batch_bytes:
                text = f"have {total} bytes in total; at most {self.batch_bytes} are allowed. Use ReadFile for more."
                raise InvalidArgument([FieldViolation("paths", text)])
            live = await BlobRepository(transaction).live({file.digest for file in files.values()})
            keys = [_present(live, files[path].digest) for path in paths]
            return keys, version.key, await self._is_download(transaction, version.key, files.values())

        keys, version_key, download = await self.database.read(work)
        self._count(version_key, download=download)
        try:
            return await self.store.get(keys)
        except DataLoss:
            now = await self._replaced(name, keys)
            if now == keys:
                raise
            return await self.store.get(now)

    async def _is_download(self, transaction: Transaction, version_key: int, files: Iterable[File]) -> bool:
        """Whether a read of these files counts as a download: if the version's largest file is one of them."""
        largest = await self.largest.of(transaction, version_key)
        return any(file.digest == largest for file in files)

    def _count(self, version_key: int, *, download: bool) -> None:
        for listener in self.listeners:
            if download:
                listener.downloaded(version_key)
            else:
                listener.used(version_key)


def _present(live: Mapping[str, BlobKey], digest: str) -> BlobKey:
    key = live.get(digest)
    if key is None:
        raise blob_corrupt(digest)
    return key


def _file_not_found(name: VersionName, file: str) -> NotFound:
    return NotFound(f"{name} has no file {file}.", reason="FILE_NOT_FOUND", kind="Version", name=str(name))

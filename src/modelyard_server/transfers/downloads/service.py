"""Reading a version's bytes. They are reached through a version that names them: a digest is no right to read."""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass

from modelyard.core.manifest import File
from modelyard.core.names import VersionName
from modelyard_server.blobs.store import BlobKey, BlobStore, Chunk
from modelyard_server.calls.errors import (
    FieldViolation,
    InvalidArgument,
    NotFound,
    OutOfRange,
    blob_corrupt,
)
from modelyard_server.db.protocols import Database, Transaction
from modelyard_server.deployments.usage.service import UsageCounter
from modelyard_server.registry import lookup


@dataclass(frozen=True, slots=True)
class Downloads:
    database: Database
    store: BlobStore
    chunk_bytes: int
    batch_bytes: int
    usage: UsageCounter

    async def read(
        self, name: VersionName, *, path: str | None, digest: str | None, offset: int, limit: int
    ) -> AsyncGenerator[Sequence[Chunk], None]:
        """Bytes from ``offset``, ``limit`` of them or, if that is 0, all. No transaction is open while they flow."""

        async def work(transaction: Transaction) -> tuple[File, BlobKey, int, bool]:
            version = await lookup.servable(transaction, name)
            file = await transaction.versions.file(version.key, path=path, digest=digest)
            if file is None:
                raise _file_not_found(name, repr(path or digest))
            key = _present(await transaction.blobs.live([file.digest]), file.digest)
            return file, key, version.key, not offset and await self._is_download(transaction, version.key, [file])

        file, key, version_key, download = await self.database.look(work)
        if offset > file.size:
            raise OutOfRange(
                f"{file.path!r} is {file.size} bytes long, and the read starts at {offset}",
                reason="READ_PAST_END",
                metadata={"readOffset": str(offset), "sizeBytes": str(file.size)},
            )
        self._count(version_key, download=download)
        rest = file.size - offset
        return self.store.read(
            key, offset=offset, limit=min(limit, rest) if limit else rest, chunk_bytes=self.chunk_bytes
        )

    async def read_batch(self, name: VersionName, paths: Sequence[str]) -> Sequence[Chunk]:
        """Small files of a version, whole, in the order asked."""

        async def work(transaction: Transaction) -> tuple[list[BlobKey], int, bool]:
            version = await lookup.servable(transaction, name)
            files = await transaction.versions.files_at(version.key, paths)
            for path in paths:
                if path not in files:
                    raise _file_not_found(name, repr(path))
            total = sum(file.size for file in files.values())
            if total > self.batch_bytes:
                text = f"hold {total} bytes together; at most {self.batch_bytes} fit, use ReadFile for more"
                raise InvalidArgument([FieldViolation("paths", text)])
            live = await transaction.blobs.live({file.digest for file in files.values()})
            keys = [_present(live, files[path].digest) for path in paths]
            return keys, version.key, await self._is_download(transaction, version.key, files.values())

        keys, version_key, download = await self.database.read(work)
        self._count(version_key, download=download)
        return await self.store.get(keys)

    async def _is_download(self, transaction: Transaction, version_key: int, files: Iterable[File]) -> bool:
        """Whether whoever reads these from their start fetches the version: by its largest file, which all need."""
        largest = await self.usage.largest_file(transaction, version_key)
        return any(file.digest == largest for file in files)

    def _count(self, version_key: int, *, download: bool) -> None:
        if download:
            self.usage.downloaded(version_key)
        else:
            self.usage.used(version_key)


def _present(live: Mapping[str, BlobKey], digest: str) -> BlobKey:
    key = live.get(digest)
    if key is None:
        raise blob_corrupt(digest)
    return key


def _file_not_found(name: VersionName, file: str) -> NotFound:
    return NotFound(f"{name} has no file {file}", reason="FILE_NOT_FOUND", kind="Version", name=str(name))

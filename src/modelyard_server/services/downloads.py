"""Reading a version's bytes. They are reached through a version that names them: a digest is no right to read."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass

from modelyard.manifest import File
from modelyard.names import VersionName
from modelyard_server.domain.errors import (
    FailedPrecondition,
    FieldViolation,
    InvalidArgument,
    NotFound,
    OutOfRange,
    PreconditionViolation,
    blob_corrupt,
)
from modelyard_server.domain.resources import Version, VersionState
from modelyard_server.services import lookup
from modelyard_server.services.blob_store import BlobKey, BlobStore, Chunk
from modelyard_server.services.database import Database, Transaction


@dataclass(frozen=True, slots=True)
class Downloads:
    database: Database
    store: BlobStore
    chunk_bytes: int
    batch_bytes: int

    async def read(
        self, name: VersionName, *, path: str | None, digest: str | None, offset: int, limit: int
    ) -> AsyncGenerator[Sequence[Chunk], None]:
        """Bytes from ``offset``, ``limit`` of them or, if that is 0, all. No transaction is open while they flow."""

        async def work(transaction: Transaction) -> tuple[File, BlobKey]:
            version = await _readable(transaction, name)
            file = await transaction.versions.file(version.key, path=path, digest=digest)
            if file is None:
                raise _file_not_found(name, repr(path or digest))
            return file, _present(await transaction.blobs.live([file.digest]), file.digest)

        file, key = await self.database.look(work)
        if offset > file.size:
            raise OutOfRange(
                f"{file.path!r} is {file.size} bytes long, and the read starts at {offset}",
                reason="READ_PAST_END",
                metadata={"read_offset": str(offset), "size": str(file.size)},
            )
        rest = file.size - offset
        return self.store.read(
            key, offset=offset, limit=min(limit, rest) if limit else rest, chunk_bytes=self.chunk_bytes
        )

    async def read_batch(self, name: VersionName, paths: Sequence[str]) -> Sequence[Chunk]:
        """Small files of a version, whole, in the order asked."""

        async def work(transaction: Transaction) -> list[BlobKey]:
            version = await _readable(transaction, name)
            files = await transaction.versions.files_at(version.key, paths)
            for path in paths:
                if path not in files:
                    raise _file_not_found(name, repr(path))
            total = sum(file.size for file in files.values())
            if total > self.batch_bytes:
                text = f"hold {total} bytes together; at most {self.batch_bytes} fit, use ReadFile for more"
                raise InvalidArgument([FieldViolation("paths", text)])
            live = await transaction.blobs.live({file.digest for file in files.values()})
            return [_present(live, files[path].digest) for path in paths]

        return await self.store.get(await self.database.read(work))


async def _readable(transaction: Transaction, name: VersionName) -> Version:
    version = await lookup.version(transaction, name)
    if version.state is VersionState.QUARANTINED:
        raise FailedPrecondition(
            f"{name} is quarantined: its bytes are not served",
            reason="QUARANTINED",
            violations=[PreconditionViolation("STATE", str(name), "the version is quarantined")],
            metadata={"resource": str(name)},
        )
    return version


def _present(live: Mapping[str, BlobKey], digest: str) -> BlobKey:
    key = live.get(digest)
    if key is None:
        raise blob_corrupt(digest)
    return key


def _file_not_found(name: VersionName, file: str) -> NotFound:
    return NotFound(f"{name} has no file {file}", reason="FILE_NOT_FOUND", kind="Version", name=str(name))

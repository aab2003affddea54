"""Reading a version's bytes. They are reached through a version that names them: a digest is no right to read."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from modelyard.manifest import File
from modelyard.names import VersionName
from modelyard_server.domain.errors import FailedPrecondition, NotFound, OutOfRange, PreconditionViolation, blob_corrupt
from modelyard_server.domain.resources import VersionState
from modelyard_server.services import lookup
from modelyard_server.services.blob_store import BlobKey, BlobStore, Chunk
from modelyard_server.services.database import Database, Transaction


@dataclass(frozen=True, slots=True)
class Downloads:
    database: Database
    store: BlobStore
    chunk_bytes: int

    async def read(
        self, name: VersionName, *, path: str | None, digest: str | None, offset: int, limit: int
    ) -> AsyncGenerator[Sequence[Chunk], None]:
        """Bytes from ``offset``, ``limit`` of them or, if that is 0, all. No transaction is open while they flow."""

        async def work(transaction: Transaction) -> tuple[File, BlobKey | None]:
            file = await _file(transaction, name, path, digest)
            return file, await transaction.blobs.live(file.digest)

        file, key = await self.database.look(work)
        if offset > file.size:
            raise OutOfRange(
                f"{file.path!r} is {file.size} bytes long, and the read starts at {offset}",
                reason="READ_PAST_END",
                metadata={"read_offset": str(offset), "size": str(file.size)},
            )
        if key is None:
            raise blob_corrupt(file.digest)
        rest = file.size - offset
        return self.store.read(
            key, offset=offset, limit=min(limit, rest) if limit else rest, chunk_bytes=self.chunk_bytes
        )


async def _file(transaction: Transaction, name: VersionName, path: str | None, digest: str | None) -> File:
    version = await lookup.version(transaction, name)
    if version.state is VersionState.QUARANTINED:
        raise FailedPrecondition(
            f"{name} is quarantined: its bytes are not served",
            reason="QUARANTINED",
            violations=[PreconditionViolation("STATE", str(name), "the version is quarantined")],
            metadata={"resource": str(name)},
        )
    file = await transaction.versions.file(version.key, path=path, digest=digest)
    if file is None:
        raise NotFound(
            f"{name} has no file {path or digest!r}", reason="FILE_NOT_FOUND", kind="Version", name=str(name)
        )
    return file

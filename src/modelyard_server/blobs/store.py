"""What the services ask of a store of bytes. Its drivers live in ``blobs``; one conformance suite holds them to it.

A blob's place is named by its digest and a generation, fresh for each publication, so that whoever removes one
publication late can never remove a newer one. Methods raise the errors of ``domain.errors`` and nothing else for what a
disk or an object store does to them: ``STORAGE_FULL``, ``BACKEND_DOWN``, ``BLOB_CORRUPT``.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class Chunk(NamedTuple):
    """Some bytes in flight, with the crc32c that came with them, or goes with them."""

    data: bytes
    crc32c: int | None


@dataclass(frozen=True, slots=True)
class BlobKey:
    """One publication of some bytes."""

    digest: str
    """``sha256:`` and 64 hexadecimal digits."""
    generation: str
    """32 hexadecimal digits."""
    size: int
    """In bytes."""


class StoreError(Exception):
    """The store cannot be used: it is not the one that the database belongs with, or it is damaged."""


class BlobWriter(Protocol):
    """The one live writer of a staged upload. Not for concurrent calls."""

    @property
    def position(self) -> int:
        """Bytes staged so far: where the next chunk goes."""
        ...

    async def append(self, chunks: Sequence[Chunk]) -> None:
        """Stages chunks, in one thread hop.

        ``CHUNK_CORRUPT`` at the first chunk whose crc32c is wrong: those before it are staged, it and the rest are not.
        ``UPLOAD_BUSY`` if a writer of a later epoch was opened, or the upload was discarded or published.
        ``STORAGE_FULL`` leaves the prefix that fitted. A cancelled call returns once nothing writes any more, having
        staged any number of the chunks, wholly.
        """
        ...

    async def publish(self, key: BlobKey, *, field: str) -> None:
        """Makes the staged bytes durable under ``key``, then they are never written again.

        ``SIZE_MISMATCH``, naming ``field``, if there are more or fewer of them; they stay, and may be completed.
        ``DIGEST_MISMATCH`` if their sha256 is another; they are gone then, as they are after ``BACKEND_DOWN`` if it is
        unknown what of them reached the disk. ``UPLOAD_BUSY`` as for :meth:`append`.
        Publishing the same key twice is the same as once. The staged copy stays until :meth:`BlobStore.discard`.
        """
        ...

    async def close(self) -> None:
        """Lets go of the upload; the staged bytes stay for another writer. Idempotent."""
        ...


class BlobStore(Protocol):
    """Bytes at rest."""

    compose_threshold: int
    """Size in bytes from which uploading in parts and joining them pays; 0: never."""

    async def identity(self) -> str | None:
        """The id of this store: 32 hexadecimal digits. None until :meth:`identify` was called.

        It lies beside the bytes: a copy has it too, an empty folder has none. :class:`StoreError` if it is damaged.
        """
        ...

    async def identify(self, identity: str) -> str:
        """Gives the store an id, durably, unless it has one; the id that it then has."""
        ...

    async def probe(self) -> None:
        """Raises as a write would that the store cannot take. Cheap; leaves nothing behind."""
        ...

    async def open_writer(self, upload: str, *, epoch: int) -> BlobWriter:
        """The writer of an upload, positioned behind what is staged; fences every writer of a smaller epoch.

        A store that did not keep the hash of what is staged reads it again. An opening that is cancelled meanwhile is
        not in vain: the writer of the next epoch goes on behind what was read. ``UPLOAD_BUSY`` if this or a later epoch
        is open already, or is opened meanwhile.
        """
        ...

    async def persisted_size(self, upload: str) -> int:
        """How many bytes of an upload are staged and will be there for the next writer; 0 for an unknown one."""
        ...

    async def discard(self, upload: str) -> None:
        """Removes what is staged for an upload, fencing its writers. Idempotent."""
        ...

    def staged(self) -> AsyncIterator[str]:
        """Every upload for which something is staged, in any order: what a reaper compares with the rows it has."""
        ...

    async def put(self, blobs: Sequence[tuple[BlobKey, bytes]]) -> None:
        """Publishes small blobs, durably. The caller has checked their sha256."""
        ...

    async def compose(self, key: BlobKey, parts: Sequence[BlobKey], *, field: str) -> None:
        """Publishes the concatenation of stored blobs, hashed anew.

        Errors as of :meth:`BlobWriter.publish`, and ``BLOB_CORRUPT`` if a part is missing or short; nothing stays then.
        """
        ...

    def read(self, key: BlobKey, *, offset: int, limit: int, chunk_bytes: int) -> AsyncGenerator[Sequence[Chunk], None]:
        """Bytes ``offset`` to ``offset + limit`` of a blob, in batches of chunks of at most ``chunk_bytes``.

        Every chunk carries its crc32c; an empty range has no batches. The next batch is read while the caller sends the
        last one: who may leave early closes the generator (``contextlib.aclosing``). ``BLOB_CORRUPT`` if the blob is
        missing or of another size.
        """
        ...

    async def get(self, keys: Sequence[BlobKey]) -> Sequence[Chunk]:
        """Small blobs, whole, each with its crc32c, in the order asked. ``BLOB_CORRUPT`` as of :meth:`read`."""
        ...

    async def size(self, key: BlobKey) -> int | None:
        """The stored size in bytes, or None if nothing is stored there."""
        ...

    def published(self) -> AsyncGenerator[Sequence[BlobKey], None]:
        """Every publication with its stored size, in batches, in any order: what a check compares with the rows."""
        ...

    async def remove(self, key: BlobKey) -> None:
        """Removes one publication. Idempotent."""
        ...

    async def close(self) -> None:
        """Lets go of everything; called once, after the last call."""
        ...

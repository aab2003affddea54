"""The interface of a store of bytes. One conformance suite tests all of its implementations.

A blob is stored under its digest and a generation, which is new for each publication. So a late removal of one
publication never removes a newer one. For failures of a disk or an object store, methods raise only errors of
``calls.errors``: ``STORAGE_FULL``, ``BACKEND_DOWN``, ``BLOB_CORRUPT``.
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


class BlobWriter(Protocol):
    """The one live writer of a staged upload. Not for concurrent calls."""

    @property
    def position(self) -> int:
        """Number of staged bytes: the offset of the next chunk."""
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
        """Releases the upload. The staged bytes stay for another writer. Idempotent."""
        ...


class BlobStore(Protocol):
    """Bytes at rest."""

    compose_threshold: int
    """Size in bytes from which uploading in parts and joining them pays; 0: never."""

    async def open_writer(self, upload: str, *, epoch: int) -> BlobWriter:
        """Opens the writer of an upload, positioned after the staged bytes. Fences every writer of a smaller epoch.

        Reads the staged bytes again to compute their hash. ``UPLOAD_BUSY`` if this or a later epoch is already open, or
        is opened meanwhile.
        """
        ...

    async def persisted_size(self, upload: str) -> int:
        """Number of staged bytes that the next writer will find; 0 for an unknown upload."""
        ...

    async def discard(self, upload: str) -> None:
        """Removes the staged bytes of an upload, and fences its writers. Idempotent."""
        ...

    def staged(self) -> AsyncIterator[str]:
        """Every upload with staged bytes, in any order. A sweep compares them with the rows."""
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

        Every chunk has its crc32c. An empty range has no batches. The next batch is read while the caller sends the
        last one. So a caller that may stop early must close the generator (``contextlib.aclosing``).
        ``BLOB_CORRUPT`` if the blob is missing or has another size.
        """
        ...

    async def get(self, keys: Sequence[BlobKey]) -> Sequence[Chunk]:
        """Small blobs, whole, each with its crc32c, in the order asked. ``BLOB_CORRUPT`` as of :meth:`read`."""
        ...

    async def size(self, key: BlobKey) -> int | None:
        """The stored size in bytes, or None if nothing is stored there."""
        ...

    def published(self) -> AsyncGenerator[Sequence[BlobKey], None]:
        """Every publication with its stored size, in batches, in any order. A check compares them with the rows."""
        ...

    async def remove(self, key: BlobKey) -> None:
        """Removes one publication. Idempotent."""
        ...

    async def close(self) -> None:
        """Releases all resources. Called once, after the last call."""
        ...

"""The interface of a store of bytes. One conformance suite tests all of its implementations.

A blob is stored under its digest and a generation, which is new for each publication. So a late removal of one
publication never removes a newer one. For failures of a disk or an object store, methods raise only errors of
``calls.errors``: ``STORAGE_FULL``, ``BACKEND_DOWN``, ``BLOB_CORRUPT``.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol


class Chunk(NamedTuple):
    """Some bytes in transit, with their crc32c."""

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


class Damage(StrEnum):
    """The kinds of damage to a publication."""

    MISSING = "missing"
    """It is not in the store."""
    RESIZED = "resized"
    """It has another size."""
    CHANGED = "changed"
    """It was written to or replaced since its publication. If it is too large to be read on the way, its bytes may be
    right: it may come from a backup that kept no times."""


class StoreError(Exception):
    """The store cannot be used: it is not the one that the database belongs with, or it is damaged."""


class BlobWriter(Protocol):
    """The one live writer of a staged upload. Not for concurrent calls."""

    @property
    def position(self) -> int:
        """Number of staged bytes: the offset of the next chunk."""
        ...

    async def append(self, chunks: Sequence[Chunk]) -> None:
        """Stages chunks, in one thread hop.

        Raises ``CHUNK_CORRUPT`` at the first chunk with a wrong crc32c. Only the chunks before it are staged.
        ``UPLOAD_BUSY`` if a writer of a later epoch was opened, or the upload was discarded or published.
        ``STORAGE_FULL`` if the disk is full. The prefix that fitted stays staged. A cancelled call returns after its
        thread has ended. It has then staged any number of whole chunks.
        """
        ...

    async def publish(self, key: BlobKey, *, field: str) -> None:
        """Makes the staged bytes durable under ``key``. They never change after that.

        Raises ``SIZE_MISMATCH``, with ``field``, if the size differs. The bytes stay and can be completed.
        ``DIGEST_MISMATCH`` if the sha256 differs. The bytes are removed. They are also removed after ``BACKEND_DOWN``
        if it is unknown which of them are on the disk. ``UPLOAD_BUSY`` as for :meth:`append`.
        It is idempotent for the same key. The staged copy stays until :meth:`BlobStore.discard`.
        """
        ...

    async def close(self) -> None:
        """Releases the upload. The staged bytes stay for another writer. Idempotent."""
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

    async def open_writer(self, upload: str, *, epoch: int, rehashed: Callable[[int], None] = ...) -> BlobWriter:
        """Opens the writer of an upload, positioned after the staged bytes. Fences every writer of a smaller epoch.

        A store reads the staged bytes again whose hash it has not kept: few, but all if the state of the hash is lost.
        :meth:`rehashed_size` tells how far it is, and ``rehashed`` gets the number of bytes of each step, also of an
        opening that fails. If an opening is cancelled, the writer of the next epoch continues after the bytes read so
        far. ``UPLOAD_BUSY`` if this or a later epoch is already open, or is opened meanwhile.
        """
        ...

    async def persisted_size(self, upload: str) -> int:
        """Number of staged bytes that the next writer will find; 0 for an unknown upload."""
        ...

    def rehashed_size(self, upload: str) -> int:
        """Number of staged bytes that are hashed, while an opening reads the others. 0 if none does. Never blocks."""
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

    async def compose(
        self, key: BlobKey, parts: Sequence[BlobKey], *, field: str, progress: Callable[[int], None] | None = None
    ) -> None:
        """Publishes the concatenation of stored blobs, hashed again. ``progress`` gets the number of hashed bytes.

        Raises the errors of :meth:`BlobWriter.publish`, and ``BLOB_CORRUPT`` if a part is missing or short. After an
        error, nothing is stored. ``STORAGE_FULL`` before anything is written if it can't fit beside the compositions
        that run.
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

    async def find_damaged(self, keys: Sequence[BlobKey]) -> Mapping[BlobKey, Damage]:
        """The publications among ``keys`` that are not as they were published.

        Cheap: compares sizes and times, and reads a blob only if its time alone is wrong.

        ``BACKEND_DOWN`` if the store itself is not there, as when its volume is not mounted.
        """
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

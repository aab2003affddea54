"""Stores blobs in a local folder."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Sequence
from contextlib import aclosing, suppress
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar
from weakref import WeakValueDictionary

import structlog

from modelyard_server import failpoints
from modelyard_server.blobs import publishing, staging
from modelyard_server.blobs.ahead import read_ahead
from modelyard_server.blobs.budget import Budget
from modelyard_server.blobs.checksums import checksummed
from modelyard_server.blobs.disk import probe, sync_folder
from modelyard_server.blobs.identity import read_identity, write_identity
from modelyard_server.blobs.layout import Layout, stamp
from modelyard_server.blobs.reading import BlobReader, read_whole
from modelyard_server.blobs.resuming import HashedPrefixes
from modelyard_server.blobs.sha256 import keeps_states
from modelyard_server.blobs.staging import StagedUpload
from modelyard_server.blobs.store import BlobKey, Chunk, Damage
from modelyard_server.blobs.workers import Workers, outlast
from modelyard_server.calls.errors import RegistryError, size_mismatch, upload_fenced

T = TypeVar("T")

_log: Final = structlog.get_logger("modelyard.server")

THREADS: Final = 8
"""More than processors, because threads wait for the disk. A slow fsync must not stop other transfers."""
_PUT_THREADS: Final = 4
"""Threads that sync the small blobs of one message."""
FLUSH_BYTES: Final = 256 << 20
"""An upload is synced at this interval, beside its writes: 1.15 GB/s. One sync at the end: 1.0 GB/s.

A writer is at most one interval ahead of a sync that runs. So a power cut loses, and another process reads again, at
most two intervals and one batch; and a publication has no more than that to sync, however large the blob is.
"""
READ_AHEAD_BYTES: Final = 128 << 20
"""Bytes that all downloads together hold in memory. Those that find nothing left read 64 KiB at a time."""
LISTED_AT_ONCE: Final = 1000
_READ_TO_CHECK_BYTES: Final = 256 << 20
"""Up to this size, a publication whose time alone is wrong is read: a backup that kept no times damages nothing."""


def _uncounted(_bytes: int) -> None: ...


class _Slot:
    """Shared by the writers of one upload: the right to write, and the open file.

    The file is used only under ``lock``. A holder of the lock keeps it until its thread has ended.
    """

    def __init__(self, upload: str, prefixes: HashedPrefixes) -> None:
        self.upload = upload
        self.prefixes = prefixes
        self.lock = asyncio.Lock()
        self.claimant: LocalWriter | None = None
        """The writer that was opened last. All others are fenced."""
        self.file: StagedUpload | None = None
        self.epoch = 0
        """Of the writer that opened the file."""
        self.flush: asyncio.Future[None] | None = None

    async def release(self, workers: Workers) -> None:
        """Closes the file and keeps its hash. The caller must hold the lock, and must not be cancelled meanwhile."""
        flush, self.flush = self.flush, None
        if flush is not None:
            with suppress(RegistryError):  # then it has removed the file, and the next writer starts from zero
                await flush
        file, self.file = self.file, None
        if file is not None:
            await workers.run(file.close)
            if (prefix := file.prefix) is not None:
                self.prefixes.keep(self.upload, prefix, self.epoch)


class LocalWriter:
    """The writer of a staged upload; see :class:`~modelyard_server.blobs.store.BlobWriter`."""

    def __init__(self, slot: _Slot, file: StagedUpload, workers: Workers, epoch: int) -> None:
        self.epoch = epoch
        self._slot = slot
        self._file = file
        self._workers = workers

    @property
    def position(self) -> int:
        return self._file.position

    async def open(self, rehashed: Callable[[int], None]) -> None:
        """Waits until the previous writer is idle, then takes over the file. ``rehashed`` gets each step's bytes."""
        async with self._slot.lock:
            self._check()
            await outlast(self._slot.release(self._workers))
            self._slot.file, self._slot.epoch = self._file, self.epoch
            prefix = self._slot.prefixes.take(self._slot.upload, self.epoch)
            await self._workers.run(self._file.open, prefix)
            more = True
            while more:
                before = self._file.position
                try:
                    more = await self._workers.run(self._file.rehash)
                finally:
                    rehashed(self._file.position - before)
                self._check()

    async def append(self, chunks: Sequence[Chunk]) -> None:
        async with self._slot.lock:
            self._check()
            await self._workers.run(self._file.append, chunks)
            if self._slot.flush is not None and self._file.unsynced >= 2 * FLUSH_BYTES:
                await asyncio.wait((self._slot.flush,))
                self._check()
            # Runs beside the next appends.
            if self._slot.flush is None and self._file.unsynced >= FLUSH_BYTES:
                self._slot.flush = self._workers.start(self._file.flush, self._file.mark())

    async def publish(self, key: BlobKey, *, field: str) -> None:
        async with self._slot.lock:
            self._check()
            if self._slot.flush is not None:
                await asyncio.wait((self._slot.flush,))
                self._check()
            await self._workers.run(self._file.publish, key, field)

    async def close(self) -> None:
        await outlast(self._close())

    async def _close(self) -> None:
        async with self._slot.lock:
            if self._slot.claimant is self:
                self._slot.claimant = None
            if self._slot.file is self._file:
                await self._slot.release(self._workers)

    def _check(self) -> None:
        """Raises unless this writer owns the upload with all of its staged bytes."""
        if self._slot.claimant is not self:
            raise upload_fenced()
        if self._slot.flush is None:
            if self._file.gone:
                raise upload_fenced()
        elif self._slot.flush.done():
            flush, self._slot.flush = self._slot.flush, None
            flush.result()


def _take(items: Iterator[T], count: int) -> list[T]:
    return list(islice(items, count))


class LocalStore:
    """Blobs in a folder; see :class:`~modelyard_server.blobs.store.BlobStore`.

    Only one store at a time may open a folder. The folder must be on one file system with hard links.
    """

    # Never: joining reads, hashes and writes everything again. For 1 GiB on two cores, four parallel parts take 0.65 s
    # and joining them 1.2 s. One stream takes 1.0 to 1.8 s. More cores reduce only the 0.65 s.
    compose_threshold: int = 0

    def __init__(self, root: Path) -> None:
        self._layout = Layout(root)
        self._workers = Workers(THREADS)
        # Of its own: behind transfers that wait for a busy disk it would say that the disk is gone.
        self._prober = Workers(1)
        self._boot = staging.read_boot_id()
        # A slot lives as long as a writer uses it or waits for it.
        self._slots: WeakValueDictionary[str, _Slot] = WeakValueDictionary()
        self._prefixes = HashedPrefixes()
        self._joins: set[publishing.Assembly] = set()
        self._admitting = asyncio.Lock()
        self._reading = Budget(READ_AHEAD_BYTES)

    @classmethod
    async def open(cls, root: Path) -> "LocalStore":
        """Opens the store in ``root``. Creates it if it is missing."""
        store = cls(root)
        try:
            await store._workers.run(store._layout.create)
            if not await store._workers.run(keeps_states):
                _log.warning(
                    "this Python can't keep the state of a sha256: after a restart, all staged bytes of an upload are"
                    " read again. Use a Python that is linked to OpenSSL 1.1.1 or later"
                )
        except BaseException:
            await store.close()
            raise
        return store

    @staticmethod
    def is_in(root: Path) -> bool:
        """Whether ``root`` has a store. Creates nothing."""
        return Layout(root).exists()

    @staticmethod
    def has_blobs(root: Path) -> bool:
        """Whether ``root`` has a published blob."""
        return LocalStore.is_in(root) and next(Layout(root).published(), None) is not None

    async def identity(self) -> str | None:
        return await self._workers.run(read_identity, self._layout)

    async def identify(self, identity: str) -> str:
        return await self._workers.run(write_identity, self._layout, identity)

    async def probe(self) -> None:
        await self._prober.run(probe, self._layout.probe())

    async def open_writer(
        self, upload: str, *, epoch: int, rehashed: Callable[[int], None] = _uncounted
    ) -> LocalWriter:
        file = StagedUpload(self._layout, upload, self._boot)
        slot = self._slots.setdefault(upload, _Slot(upload, self._prefixes))
        if slot.claimant is not None and slot.claimant.epoch >= epoch:
            raise upload_fenced()
        writer = LocalWriter(slot, file, self._workers, epoch)
        slot.claimant = writer
        try:
            await writer.open(rehashed)
        except BaseException:
            await writer.close()
            raise
        return writer

    async def persisted_size(self, upload: str) -> int:
        slot = self._slots.get(upload)
        if slot is not None and slot.file is not None and (persisted := slot.file.persisted) is not None:
            return persisted
        return await self._workers.run(staging.persisted_size, self._layout, upload, self._boot)

    def rehashed_size(self, upload: str) -> int:
        slot = self._slots.get(upload)
        return 0 if slot is None or slot.file is None else slot.file.rehashed

    async def discard(self, upload: str) -> None:
        file = StagedUpload(self._layout, upload, self._boot)
        slot = self._slots.setdefault(upload, _Slot(upload, self._prefixes))
        slot.claimant = None
        async with slot.lock:
            await outlast(slot.release(self._workers))
            self._prefixes.drop(upload)
            await self._workers.run(file.remove)

    async def staged(self) -> AsyncGenerator[str, None]:
        async for batch in self._listed(self._layout.uploads()):
            for upload in batch:
                yield upload

    def published(self) -> AsyncGenerator[Sequence[BlobKey], None]:
        return self._listed(self._layout.published())

    async def _listed(self, items: Generator[T, None, None]) -> AsyncGenerator[Sequence[T], None]:
        try:
            while batch := await self._workers.run(_take, items, LISTED_AT_ONCE):
                yield batch
        finally:
            await self._workers.run(items.close)

    async def put(self, blobs: Sequence[tuple[BlobKey, bytes]]) -> None:
        small = publishing.SmallBlobs(self._layout, blobs)
        try:
            writes = [
                self._workers.start(small.write, slice(first, None, _PUT_THREADS)) for first in range(_PUT_THREADS)
            ]
            await outlast(asyncio.gather(*writes, return_exceptions=True))
            for written in writes:
                written.result()
            await self._workers.run(small.publish)
        finally:
            await self._workers.run(small.close)

    async def compose(
        self, key: BlobKey, parts: Sequence[BlobKey], *, field: str, progress: Callable[[int], None] | None = None
    ) -> None:
        size = sum(part.size for part in parts)
        if size != key.size:
            raise size_mismatch(field, key.size, size)
        assembly = publishing.Assembly(self._layout, parts, FLUSH_BYTES)
        try:
            # Parts may repeat, so a small request may ask for much. The rest of each running join counts, so that
            # all of them fit. A refused join never counts, so joins are admitted one after the other.
            async with self._admitting:
                await self._workers.run(assembly.require_room, assembly.left + sum(each.left for each in self._joins))
                self._joins.add(assembly)
            while await self._workers.run(assembly.copy):
                if progress is not None:
                    progress(assembly.position)
            await self._workers.run(assembly.publish, key, field)
        finally:
            self._joins.discard(assembly)
            await self._workers.run(assembly.close)

    async def read(
        self, key: BlobKey, *, offset: int, limit: int, chunk_bytes: int
    ) -> AsyncGenerator[Sequence[Chunk], None]:
        reader = BlobReader(self._layout.blob(key), key, offset=offset, limit=limit, chunk_bytes=chunk_bytes)
        async with aclosing(read_ahead(reader, self._workers, self._reading)) as batches:
            async for batch in batches:
                yield batch

    async def get(self, keys: Sequence[BlobKey]) -> Sequence[Chunk]:
        return await self._workers.run(_checksummed_blobs, self._layout, keys)

    async def find_damaged(self, keys: Sequence[BlobKey]) -> dict[BlobKey, Damage]:
        found: dict[BlobKey, Damage] = {}
        for start in range(0, len(keys), LISTED_AT_ONCE):
            batch = keys[start : start + LISTED_AT_ONCE]
            found.update(await self._workers.run(_damaged, self._layout, batch))
        return found

    async def size(self, key: BlobKey) -> int | None:
        return await self._workers.run(_size, self._layout.blob(key))

    async def remove(self, key: BlobKey) -> None:
        await self._workers.run(_remove, self._layout.blob(key))

    async def close(self) -> None:
        for slot in list(self._slots.values()):
            slot.claimant = None
            async with slot.lock:
                await outlast(slot.release(self._workers))
        await self._workers.close()
        await self._prober.close()


def _checksummed_blobs(layout: Layout, keys: Sequence[BlobKey]) -> list[Chunk]:
    return [checksummed(read_whole(layout.blob(key), key)) for key in keys]


def _damaged(layout: Layout, keys: Sequence[BlobKey]) -> dict[BlobKey, Damage]:
    found: dict[BlobKey, Damage] = {}
    for key in keys:
        damage = layout.damage(key)
        if damage is Damage.CHANGED and key.size <= _READ_TO_CHECK_BYTES and _is_right(layout, key):
            continue
        if damage is not None:
            found[key] = damage
    return found


def _is_right(layout: Layout, key: BlobKey) -> bool:
    """Reads a publication that has another time. It gets its own time again if its bytes are right."""
    try:
        with layout.blob(key).open("rb") as file:
            if f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}" != key.digest:
                return False
            with suppress(OSError):  # read-only: it is read again the next time
                stamp(file.fileno(), key)
            return True
    except OSError:
        return False


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _remove(path: Path) -> None:
    failpoints.hit("blob.unlink")
    path.unlink(missing_ok=True)
    sync_folder(path.parent)

"""Publishes small blobs, and large blobs from stored parts. All methods block."""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from modelyard_server.blobs.disk import open_new, require_room, sync, sync_folder, write_at
from modelyard_server.blobs.layout import Layout, stamp
from modelyard_server.blobs.reading import BATCH_BYTES, BlobReader
from modelyard_server.blobs.staging import StagedFile
from modelyard_server.blobs.store import BlobKey
from modelyard_server.calls.errors import digest_mismatch


class SmallBlobs:
    """Publishes small blobs. All are durable before the first gets its name. A full disk leaves none."""

    def __init__(self, layout: Layout, blobs: Sequence[tuple[BlobKey, bytes]]) -> None:
        self._layout = layout
        self._blobs = [(layout.temporary(), key, data) for key, data in blobs]

    def write(self, part: slice) -> None:
        """Makes some of them durable. Threads may write parts in parallel, because a disk combines small syncs."""
        for path, key, data in self._blobs[part]:
            _write_whole(path, key, data)

    def publish(self) -> None:
        for path, key, _ in self._blobs:
            self._layout.link(path, key)
        for folder in {self._layout.blob(key).parent for _, key, _ in self._blobs}:
            sync_folder(folder)

    def close(self) -> None:
        """Removes everything that was not published."""
        _remove(path for path, _, _ in self._blobs)


def _write_whole(path: Path, key: BlobKey, data: bytes) -> None:
    descriptor = open_new(path)
    try:
        write_at(descriptor, data, 0)
        os.fchmod(descriptor, 0o444)
        stamp(descriptor, key)
        sync(descriptor)
    finally:
        os.close(descriptor)


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink()


class Assembly:
    """Joins blobs, copied in batches into a file that gets its name in :meth:`publish`."""

    def __init__(self, layout: Layout, parts: Sequence[BlobKey], flush_bytes: int) -> None:
        """The file is synced after each ``flush_bytes``, so that no step takes the longer the larger the whole is."""
        self._layout = layout
        self._size = sum(part.size for part in parts)
        self._parts = iter(parts)
        self._path = layout.temporary()
        self._file: StagedFile | None = None
        self._flush_bytes = flush_bytes
        self._synced = 0
        self._reader: BlobReader | None = None

    @property
    def position(self) -> int:
        """Bytes that are copied and hashed."""
        return 0 if self._file is None else self._file.position

    @property
    def left(self) -> int:
        """Bytes that it has still to write."""
        return self._size - self.position

    def require_room(self, size: int) -> None:
        """Raises the error of a full disk unless it has room for ``size`` bytes: those of this and of others."""
        require_room(self._path.parent, size)

    def copy(self) -> bool:
        """Copies and hashes about ``BATCH_BYTES``. False after the last part."""
        if self._file is None:
            self._file = StagedFile(open_new(self._path), self._path)
        stop = self._file.position + BATCH_BYTES
        while self._file.position < stop:
            if self._reader is None or self._reader.exhausted:
                part = next(self._parts, None)
                if part is None:
                    return False
                self._reader = self._read(part)
            for data in self._reader.batch():
                self._file.write(data)
        if self._file.position - self._synced >= self._flush_bytes:
            sync(self._file.descriptor)
            self._synced = self._file.position
        return True

    def publish(self, key: BlobKey, field: str) -> None:
        assert self._file is not None, "copy() comes first"
        if self._file.digest != key.digest:
            raise digest_mismatch(field, key.digest, self._file.digest)
        self._file.publish(self._layout, key)

    def close(self) -> None:
        """Removes everything that was not published."""
        if self._reader is not None:
            self._reader.close()
        if self._file is not None:
            self._file.close()
            _remove([self._path])

    def _read(self, part: BlobKey) -> BlobReader:
        return BlobReader(self._layout.blob(part), part, offset=0, limit=part.size, chunk_bytes=BATCH_BYTES)

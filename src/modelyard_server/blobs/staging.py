"""Staged bytes of uploads. All methods block.

How many bytes of a staged file are valid depends on the last failure. The page cache survives a killed process, so then
all bytes of the file are valid. It does not survive a crash of the machine, so then only the synced bytes are. A writer
syncs at intervals, and stores the position and the machine's boot id in the upload's *mark*.

The mark also has the state of the sha256 of the synced bytes. So whoever goes on, in this process or another, reads
again only what was staged after the last sync. Synced bytes are at rest, like those of a blob: nothing reads them again
to see whether the disk has changed them, but each download and ``fsck --read-data`` do.
"""

import hashlib
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple
from uuid import uuid4

from modelyard_server import failpoints
from modelyard_server.blobs.checksums import is_damaged
from modelyard_server.blobs.disk import SyncFailedError, replace, sync, sync_folder, write_at
from modelyard_server.blobs.layout import Layout, stamp
from modelyard_server.blobs.reading import BATCH_BYTES
from modelyard_server.blobs.resuming import HashedPrefix
from modelyard_server.blobs.sha256 import new_sha256, resume_sha256
from modelyard_server.blobs.store import BlobKey, Chunk
from modelyard_server.calls.errors import chunk_corrupt, digest_mismatch, size_mismatch, storage_down, upload_fenced

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_STATE_VERSION: Final = 1
"""Of the form of a state. A state of another version is not taken up."""


def read_boot_id() -> str:
    """An id that changes when the machine reboots."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return uuid4().hex  # unknown, so only bytes of this process count as valid


class Mark(NamedTuple):
    """The durable position of an upload."""

    boot: str
    """The machine's boot id at the last write."""
    durable: int
    """Bytes that survive a power cut."""
    state: bytes | None = None
    """Of the sha256 of the durable bytes. None if it is not known."""

    @classmethod
    def read(cls, path: Path) -> "Mark":
        """Reads the mark of an upload. A missing or damaged mark means that nothing is durable.

        A state that is damaged, or of another upload or release, is not known.
        """
        try:
            boot, durable, *kept = path.read_text().split()
            mark = cls(boot, int(durable))
        except (FileNotFoundError, ValueError):
            return cls("", 0)
        if len(kept) == 2 and kept[1] == _check(path, mark.durable, kept[0]):
            return mark._replace(state=bytes.fromhex(kept[0]))
        return mark

    def write(self, path: Path, temporary: Path) -> None:
        """Replaces the mark of an upload."""
        text = f"{self.boot} {self.durable}"
        if self.state is not None:
            text += f" {self.state.hex()} {_check(path, self.durable, self.state.hex())}"
        replace(path, f"{text}\n", temporary, durable=self.durable > 0)

    def trusted(self, staged: os.stat_result, boot: str) -> int:
        """Number of valid bytes in a staged file."""
        if self.boot == boot or _is_sealed(staged):
            return staged.st_size
        return min(self.durable, staged.st_size)

    def prefix(self, found: int) -> HashedPrefix | None:
        """The prefix of a file with ``found`` valid bytes whose hash is known."""
        if self.state is None or self.durable > found:
            return None
        known = resume_sha256(self.state, self.durable)
        return None if known is None else HashedPrefix(known, self.durable)


def _check(mark: Path, durable: int, state: str) -> str:
    """Tells a state from a damaged one. It protects from accidents: who may write marks may write blobs as well."""
    return hashlib.sha256(f"{_STATE_VERSION} {mark.name} {durable} {state}".encode()).hexdigest()


def _is_sealed(staged: os.stat_result) -> bool:
    """Whether a file is also a published blob, or is about to be. Then it is synced."""
    return staged.st_nlink > 1 or not staged.st_mode & stat.S_IWUSR


def persisted_size(layout: Layout, upload: str, boot: str) -> int:
    # Read the mark first: a writer that opens meanwhile truncates the file before it updates the mark.
    mark = Mark.read(layout.mark(upload))
    try:
        return mark.trusted(layout.staged(upload).stat(), boot)
    except FileNotFoundError:
        return 0


class StagedFile:
    """A file that grows at its end, its running sha256, and the only descriptor that writes it.

    ``position`` counts the bytes that are written and hashed. A failed write may leave more bytes in the file. The next
    write replaces them, and a new writer reads them.
    """

    def __init__(self, descriptor: int, path: Path, prefix: HashedPrefix | None = None) -> None:
        self.descriptor = descriptor
        self.sealed = False
        self._path = path
        self._hash, self.position = prefix or HashedPrefix(new_sha256(), 0)

    @property
    def prefix(self) -> HashedPrefix:
        return HashedPrefix(self._hash, self.position)

    @property
    def digest(self) -> str:
        return self._hash.digest

    def mark(self, boot: str) -> Mark:
        """The mark that is true after a sync. Not during a write."""
        return Mark(boot, self.position, self._hash.state)

    def rehash(self, size: int) -> None:
        """Hashes the next batch of the file's bytes, up to ``size``."""
        failpoints.hit("blob.rehash")
        data = os.pread(self.descriptor, min(BATCH_BYTES, size - self.position), self.position)
        if not data:
            raise storage_down()  # the file was truncated from outside
        self._take(data)

    def write(self, data: bytes) -> None:
        if self.sealed:
            raise upload_fenced()
        write_at(self.descriptor, data, self.position)
        self._take(data)

    def publish(self, layout: Layout, key: BlobKey) -> None:
        """Makes the contents and the name of the file durable. The caller has compared size and digest."""
        if not self.sealed:
            os.ftruncate(self.descriptor, self.position)
        stamp(self.descriptor, key)
        sync(self.descriptor)
        os.fchmod(self.descriptor, 0o444)
        self.sealed = True
        layout.link(self._path, key)
        sync_folder(layout.blob(key).parent)

    def close(self) -> None:
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _take(self, data: bytes) -> None:
        self._hash.update(data)
        self.position += len(data)


class StagedUpload:
    """The staged file of an upload and its mark. The constructor does not use the disk, so that :meth:`close` is safe
    after a failed :meth:`open`. One call at a time, except :meth:`flush`, which may run during :meth:`append`.
    """

    def __init__(self, layout: Layout, upload: str, boot: str) -> None:
        self._layout = layout
        self._path = layout.staged(upload)
        self._mark_path = layout.mark(upload)
        self._boot = boot
        self._file: StagedFile | None = None
        self._found: int | None = None
        self._durable = 0
        self.gone = False
        """The staged bytes have been removed."""

    @property
    def position(self) -> int:
        return 0 if self._file is None else self._file.position

    @property
    def persisted(self) -> int | None:
        """Bytes that the next writer will find; None before :meth:`open`."""
        if self._found is None:
            return None
        return 0 if self.gone else max(self._found, self.position)

    @property
    def rehashed(self) -> int:
        """Bytes that are hashed, while :meth:`rehash` still has some to read. Else 0."""
        return self.position if self._found is not None and self.position < self._found else 0

    @property
    def unsynced(self) -> int:
        """Bytes after the last durable position."""
        return self.position - self._durable

    @property
    def prefix(self) -> HashedPrefix | None:
        """The hash so far, for the next writer. None if there is nothing to continue."""
        return None if self._file is None or self.gone else self._file.prefix

    def open(self, prefix: HashedPrefix | None = None) -> None:
        """Opens the file and truncates invalid bytes. :meth:`rehash` hashes the rest.

        ``prefix`` is what the previous writer hashed. Those bytes, and those of which the mark has the state, are not
        read again.
        """
        try:
            before: os.stat_result | None = self._path.stat()
        except FileNotFoundError:
            before = None
        mark = Mark.read(self._mark_path)
        sealed = before is not None and _is_sealed(before)
        flags = os.O_RDONLY if sealed else os.O_RDWR | os.O_CREAT
        found = 0 if before is None else mark.trusted(before, self._boot)
        if prefix is None or prefix.size > found:  # someone else cut the file
            prefix = mark.prefix(found)
        self._file = StagedFile(os.open(self._path, flags | os.O_CLOEXEC, 0o600), self._path, prefix)
        self._file.sealed = sealed
        if not sealed:
            # Truncate first, then write the mark of this boot: a crash in between leaves the old mark.
            os.ftruncate(self._file.descriptor, found)
            self._durable = min(mark.durable, found)
            state = mark.state if self._durable == mark.durable else None
            if (ours := Mark(self._boot, self._durable, state)) != mark:
                ours.write(self._mark_path, self._layout.temporary())
        self._found = found

    def rehash(self) -> bool:
        """Hashes the next batch of existing bytes. False after the last one."""
        file = self._open_file()
        assert self._found is not None
        if file.position < self._found:
            file.rehash(self._found)
        return file.position < self._found

    def append(self, chunks: Sequence[Chunk]) -> None:
        file = self._open_file()
        for chunk in chunks:
            if is_damaged(chunk):
                raise chunk_corrupt(file.position)
            if chunk.data:
                file.write(chunk.data)

    def mark(self) -> Mark:
        """What :meth:`flush` is to make true. Not during :meth:`append`."""
        return self._open_file().mark(self._boot)

    def flush(self, mark: Mark) -> None:
        """Makes the staged bytes durable, at least up to the mark, and writes it."""
        file = self._open_file()
        try:
            sync(file.descriptor)
        except SyncFailedError:
            self.remove()
            raise
        # Without the mark, the client only sends more bytes again after a power cut.
        with suppress(OSError):
            mark.write(self._mark_path, self._layout.temporary())
        self._durable = mark.durable

    def publish(self, key: BlobKey, field: str) -> None:
        file = self._open_file()
        if file.position != key.size:
            raise size_mismatch(field, key.size, file.position)
        if file.digest != key.digest:
            self.remove()
            raise digest_mismatch(field, key.digest, file.digest)
        try:
            file.publish(self._layout, key)
        except SyncFailedError:
            self.remove()
            raise

    def remove(self) -> None:
        """Removes file and mark. The descriptor stays open until :meth:`close`."""
        self.gone = True
        self._path.unlink(missing_ok=True)
        self._mark_path.unlink(missing_ok=True)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _open_file(self) -> StagedFile:
        assert self._file is not None, "open() comes first"
        return self._file

"""Bytes on their way to becoming a blob. All of it blocks.

How much of a staged file may be believed depends on what happened since. The page cache outlives a process, even a
killed one, so then it is the size of the file. It does not outlive the machine, so then it is what was last synced:
now and then a writer does that, and notes the position in the upload's *mark*, beside the machine's boot id.
"""

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple
from uuid import uuid4

from modelyard_server.blobs.disk import SyncFailedError, replace, sync, sync_folder, write_at
from modelyard_server.blobs.hashing import Sha256, is_damaged
from modelyard_server.blobs.layout import Layout
from modelyard_server.blobs.reading import BATCH_BYTES
from modelyard_server.blobs.resuming import HashedPrefix
from modelyard_server.blobs.store import BlobKey, Chunk
from modelyard_server.calls.errors import chunk_corrupt, digest_mismatch, size_mismatch, storage_down, upload_fenced

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def read_boot_id() -> str:
    """The same for two processes only if the machine ran on between them."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return uuid4().hex  # nobody can say, so only what this process wrote counts as still there


class Mark(NamedTuple):
    """What is known of an upload's bytes on disk."""

    boot: str
    """The machine's boot id when they were last written."""
    durable: int
    """How many of them a power cut leaves."""

    @classmethod
    def read(cls, path: Path) -> "Mark":
        """The mark of an upload; one that is missing or damaged says that nothing is durable."""
        try:
            boot, durable = path.read_text().split()
            return cls(boot, int(durable))
        except (FileNotFoundError, ValueError):
            return cls("", 0)

    def trusted(self, staged: os.stat_result, boot: str) -> int:
        """How many bytes of a staged file are those that were written."""
        if self.boot == boot or _is_sealed(staged):
            return staged.st_size
        return min(self.durable, staged.st_size)


def _is_sealed(staged: os.stat_result) -> bool:
    """Whether a file is, or is about to be, a published blob too; it was synced before it got that far."""
    return staged.st_nlink > 1 or not staged.st_mode & stat.S_IWUSR


def persisted_size(layout: Layout, upload: str, boot: str) -> int:
    # The mark first: a writer that opens meanwhile cuts the file before it vouches for it.
    mark = Mark.read(layout.mark(upload))
    try:
        return mark.trusted(layout.staged(upload).stat(), boot)
    except FileNotFoundError:
        return 0


class StagedFile:
    """A file that grows at its end, its running sha256, and the only descriptor that writes it.

    ``position`` counts what is wholly written and hashed. A write that fails half-way leaves more in the file; the next
    one goes over it, and whoever opens the file anew reads what is there.
    """

    def __init__(self, descriptor: int, path: Path, prefix: HashedPrefix | None = None) -> None:
        self.descriptor = descriptor
        self.sealed = False
        self._path = path
        self._hash, self.position = prefix or HashedPrefix(Sha256(), 0)

    @property
    def prefix(self) -> HashedPrefix:
        return HashedPrefix(self._hash, self.position)

    @property
    def digest(self) -> str:
        return self._hash.digest

    def rehash(self, size: int) -> None:
        """Takes in the next batch of what is in the file, up to ``size``."""
        data = os.pread(self.descriptor, min(BATCH_BYTES, size - self.position), self.position)
        if not data:
            raise storage_down()  # someone else cut the file
        self._take(data)

    def write(self, data: bytes) -> None:
        if self.sealed:
            raise upload_fenced()
        write_at(self.descriptor, data, self.position)
        self._take(data)

    def publish(self, layout: Layout, key: BlobKey) -> None:
        """Makes the file durable, in contents and in name. The caller has compared size and digest."""
        if not self.sealed:
            os.ftruncate(self.descriptor, self.position)
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
    """The staged file of an upload and its mark. Constructed without touching the disk, so that :meth:`close` is safe
    whatever became of :meth:`open`. One call at a time, but for :meth:`flush`, which runs beside :meth:`append`.
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
        """Nothing of the upload is staged any more."""

    @property
    def position(self) -> int:
        return 0 if self._file is None else self._file.position

    @property
    def persisted(self) -> int | None:
        """Bytes that the next writer will find; None as long as the file is not open."""
        if self._found is None:
            return None
        return 0 if self.gone else max(self._found, self.position)

    @property
    def unsynced(self) -> int:
        """Bytes behind the last position that was made durable."""
        return self.position - self._durable

    @property
    def prefix(self) -> HashedPrefix | None:
        """What is hashed, for the next writer; None if there is nothing to go on with."""
        return None if self._file is None or self.gone else self._file.prefix

    def open(self, prefix: HashedPrefix | None = None) -> None:
        """Opens the file and cuts off what may not be believed; :meth:`rehash` takes in the rest.

        ``prefix`` is what the writer before has hashed. It is not read again.
        """
        try:
            before: os.stat_result | None = self._path.stat()
        except FileNotFoundError:
            before = None
        mark = Mark.read(self._mark_path)
        sealed = before is not None and _is_sealed(before)
        flags = os.O_RDONLY if sealed else os.O_RDWR | os.O_CREAT
        found = 0 if before is None else mark.trusted(before, self._boot)
        if prefix is not None and prefix.size > found:  # someone else cut the file
            prefix = None
        self._file = StagedFile(os.open(self._path, flags | os.O_CLOEXEC, 0o600), self._path, prefix)
        self._file.sealed = sealed
        if not sealed:
            # First the cut, then the mark that vouches for this boot: a crash between them leaves the old mark.
            os.ftruncate(self._file.descriptor, found)
            self._durable = min(mark.durable, found)
            self._write_mark(Mark(self._boot, self._durable), but=mark)
        self._found = found

    def rehash(self) -> bool:
        """Hashes the next batch of what was found; False once there is none."""
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

    def flush(self) -> None:
        """Makes durable what is staged by now, and notes it."""
        file = self._open_file()
        position = file.position
        try:
            sync(file.descriptor)
        except SyncFailedError:
            self.remove()
            raise
        self._durable = position
        # Without it only more is sent again after a power cut.
        with suppress(OSError):
            self._write_mark(Mark(self._boot, position))

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
        """Removes file and mark; the descriptor stays open for :meth:`close`."""
        self.gone = True
        self._path.unlink(missing_ok=True)
        self._mark_path.unlink(missing_ok=True)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _open_file(self) -> StagedFile:
        assert self._file is not None, "open() comes first"
        return self._file

    def _write_mark(self, mark: Mark, but: Mark | None = None) -> None:
        if mark != but:
            temporary = self._layout.temporary()
            replace(self._mark_path, f"{mark.boot} {mark.durable}\n", temporary, durable=mark.durable > 0)

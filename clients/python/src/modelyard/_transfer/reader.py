"""A local file, or a part of it, hashed once and read as often as sending it takes."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Final

from modelyard._transfer.local_files import LocalFile
from modelyard._transfer.stamps import Stamp
from modelyard._transfer.threads import in_thread, opened
from modelyard.errors import ConflictError

BATCH_BYTES: Final = 4 * 1024**2
"""What one thread hop reads."""
FILE_CHANGED: Final = "FILE_CHANGED"
"""The reason of the error when a file is not what it was at the start of the push."""


class Reader:
    """Hash position and send position are two: a broken stream goes on behind where it was, and is not hashed twice.

    Methods block; call them in a thread, one at a time.
    """

    def __init__(self, file: LocalFile, start: int = 0, size: int | None = None, digest: str = "") -> None:
        """Opens a file, or the part of it at ``start``. With the digest known, nothing is hashed."""
        self.file = file
        self.start = start
        """Where the part begins in the file."""
        self.size = file.size - start if size is None else size
        """Of the part, in bytes."""
        self.known_digest = digest
        """Empty if reading has to tell."""
        self._hash = hashlib.sha256()
        self._hashed = 0
        try:
            # O_NONBLOCK: a pipe that took the file's place must not hang the push.
            self._fd = os.open(file.source, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            raise changed(file) from None
        try:
            self.check_unchanged()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        os.close(self._fd)

    def check_unchanged(self) -> None:
        """Raises ``ConflictError`` if the file, or what its name leads to, is not the one that was found at first."""
        check_unchanged([self.file])
        status = os.fstat(self._fd)
        if not stat.S_ISREG(status.st_mode) or Stamp.of(status) != self.file.stamp:
            raise changed(self.file)

    def read(self, offset: int, size: int) -> bytes:
        """``size`` bytes from ``offset`` of the part; what of them was not hashed yet is, if it is next in order."""
        data = os.pread(self._fd, size, self.start + offset)
        if len(data) != size:
            raise changed(self.file)
        hashed = self._hashed - offset
        if not self.known_digest and 0 <= hashed < size:
            self._hash.update(memoryview(data)[hashed:])
            self._hashed = offset + size
        return data

    def hash_on(self, end: int) -> int | None:
        """Hashes one more batch, at most up to ``end``. How many bytes that were; None if nothing was left to do."""
        size = min(BATCH_BYTES, end - self._hashed)
        if self.known_digest or size <= 0:
            return None
        self.read(self._hashed, size)
        return size

    @property
    def digest(self) -> str:
        """Of the whole part, once that was read."""
        if self.known_digest:
            return self.known_digest
        if self._hashed != self.size:
            raise RuntimeError(f"only {self._hashed} of {self.size} bytes are hashed")
        return f"sha256:{self._hash.hexdigest()}"


def open_reader(
    file: LocalFile, start: int = 0, size: int | None = None, digest: str = ""
) -> AbstractAsyncContextManager[Reader]:
    return opened(lambda: Reader(file, start, size, digest), Reader.close)


async def hash_up_to(reader: Reader, end: int, on_batch: Callable[[int], None] | None = None) -> None:
    """Hashes what is left before ``end``, and tells the size of each batch."""
    while (size := await in_thread(reader.hash_on, end)) is not None:
        if on_batch:
            on_batch(size)


def check_unchanged(files: Iterable[LocalFile]) -> None:
    """Raises ``ConflictError`` if a file's name doesn't lead to the file that was found at first, unchanged."""
    for file in files:
        try:
            status = file.source.lstat()
        except OSError:
            raise changed(file) from None
        if Stamp.of(status) != file.stamp:
            raise changed(file)


def changed(file: LocalFile) -> ConflictError:
    return ConflictError(
        f"{str(file.source)!r} changed while it was being pushed, and no version was made; push again when nothing"
        " writes to it any more",
        reason=FILE_CHANGED,
        metadata={"path": file.path},
    )

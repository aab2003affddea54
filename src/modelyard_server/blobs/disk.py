"""Durable writes, and errors of disks. All functions block."""

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from modelyard_server import failpoints
from modelyard_server.calls.errors import RegistryError, ResourceExhausted, storage_down, storage_full

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_TOO_MANY_OPEN: Final = frozenset({errno.EMFILE, errno.ENFILE})


class SyncFailedError(OSError):
    """An fsync failed: it is unknown which bytes are on the disk.

    The system has marked the lost pages as clean, so that a second fsync would succeed without them. The file must be
    abandoned.
    """


def storage_error(error: OSError) -> RegistryError:
    """The error for the caller, without the path and the text of ``error``."""
    if error.errno in _FULL:
        return storage_full()
    if error.errno in _TOO_MANY_OPEN:
        return ResourceExhausted(
            "The registry has too many open files. Retry in a moment, or with fewer streams at once.",
            reason="TOO_MANY_OPEN_FILES",
            retry_after=1.0,
        )
    return storage_down()


def require_room(folder: Path, size: int) -> None:
    """Raises the error of a full disk if ``size`` bytes can't fit. Others may still take the room meanwhile."""
    disk = os.statvfs(folder)
    if disk.f_bavail * disk.f_frsize < size:
        raise storage_full()


def open_new(path: Path) -> int:
    """A descriptor of a file that must not exist yet."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def sync(descriptor: int, failpoint: str = "blob.fsync") -> None:
    try:
        failpoints.hit(failpoint)
        os.fsync(descriptor)
    except OSError as error:
        raise SyncFailedError(error.errno, "fsync failed") from error


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable. Otherwise a power cut may undo a creation or a removal."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync(descriptor, "blob.fsync_folder")
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Creates a folder and its missing parents, durable and accessible only to this user."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    sync_folder(folder.parent)


def write_at(descriptor: int, data: bytes, offset: int) -> None:
    """Writes all of ``data``. A disk that fills up writes a part, and reports an error only to the next call."""
    failpoints.hit("blob.write")
    written = os.pwrite(descriptor, data, offset)
    while written < len(data):
        written += os.pwrite(descriptor, memoryview(data)[written:], offset + written)


def read_at(descriptor: int, size: int, offset: int) -> bytes:
    """``size`` bytes, fewer only where the file ends."""
    data = os.pread(descriptor, size, offset)
    while len(data) < size and (more := os.pread(descriptor, size - len(data), offset + len(data))):
        data += more
    return data


def probe(path: Path) -> None:
    """Writes a byte to a new file, ``path``, and removes it: whether the disk takes writes. They are not synced."""
    descriptor = open_new(path)
    try:
        path.unlink()
        os.pwrite(descriptor, b"?", 0)
    finally:
        os.close(descriptor)


def replace(path: Path, text: str, temporary: Path, *, durable: bool) -> None:
    """Replaces the contents of a small file through ``temporary``, so that a reader sees the old or the new ones."""
    try:
        descriptor = open_new(temporary)
        try:
            write_at(descriptor, text.encode(), 0)
            if durable:
                sync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
        if durable:
            sync_folder(path.parent)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise

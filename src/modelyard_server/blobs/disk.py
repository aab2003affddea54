"""What it takes for bytes to be on a disk, and what a failing disk is called. All of it blocks."""

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

    The system has marked the lost pages clean, so that a second fsync would succeed over a hole. The file is to be
    given up.
    """


def storage_error(error: OSError) -> RegistryError:
    """What a caller is told; never the path or the text of ``error``."""
    if error.errno in _FULL:
        return storage_full()
    if error.errno in _TOO_MANY_OPEN:
        return ResourceExhausted(
            "the registry has too many files open; retry in a moment, or with fewer streams at once",
            reason="TOO_MANY_OPEN_FILES",
            retry_after=1.0,
        )
    return storage_down()


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
    """Makes the names in a folder durable: a power cut takes a new one away, or brings an old one back."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync(descriptor, "blob.fsync_folder")
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Makes a folder and what is missing above it, each durable and for this user alone."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    sync_folder(folder.parent)


def write_at(descriptor: int, data: bytes, offset: int) -> None:
    """Writes all of ``data``: a disk that fills up takes a part of it and reports an error only to the next call."""
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
    """Gives a small file new contents, by way of ``temporary``, so that a reader sees the old or the new."""
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

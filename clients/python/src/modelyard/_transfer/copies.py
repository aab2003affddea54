"""The bytes of a verified file under a second name: shared by both where the file system can, else copied."""

import errno
import fcntl
import hashlib
import os
import shutil
import stat
from pathlib import Path
from typing import Final

from modelyard.core.manifest import File

_CLONE: Final = 0x40049409
"""FICLONE of Linux: both files share their bytes until one of them is written to."""
_STEP_BYTES: Final = 4 * 1024**2
_NO_LINK: Final = frozenset({errno.EMLINK, errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EXDEV, errno.ENOSYS})
"""Of a file system that has no links, or no more of them, or none to files of other users."""


def link_or_copy(source: Path, target: Path) -> None:
    """A hard link; a copy where the file system has none."""
    if not _link(source, target):
        shutil.copy2(source, target, follow_symlinks=False)


def clone_or_copy(source: Path, target: Path, mode: int) -> None:
    """A file of its own with the bytes of ``source``. Where the file system can, it takes no room until it changes."""
    with source.open("rb") as bytes_from, target.open("xb") as bytes_to:
        if not _clone(bytes_from.fileno(), bytes_to.fileno()):
            shutil.copyfileobj(bytes_from, bytes_to, _STEP_BYTES)
    target.chmod(mode)


def take(file: File, source: Path, target: Path, *, verified: bool) -> bool:
    """Puts the bytes of a file, which ``source`` should hold, at ``target``: as a clone, a hard link or a copy.

    They are hashed on the way unless they were ``verified`` just now. False, and nothing at ``target``, if ``source``
    is not there or does not hold them.
    """
    try:
        fd = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size != file.size:
            return False
        if _shared(fd, source, target, file, status):
            right = verified or _hash(fd) == file.digest
        else:
            right = _copy(fd, target, file) == file.digest
    finally:
        os.close(fd)
    if not right:
        target.unlink()
    return right


def _shared(fd: int, source: Path, target: Path, file: File, status: os.stat_result) -> bool:
    new = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode_of(file))
    try:
        if _clone(fd, new):
            return True
    finally:
        os.close(new)
    target.unlink()
    # A link has the mode of what it leads to.
    if bool(status.st_mode & stat.S_IXUSR) != file.executable or not _link(source, target):
        return False
    if os.path.samestat(target.lstat(), status):
        return True
    target.unlink()  # its name led elsewhere by then
    return False


def mode_of(file: File) -> int:
    """Before the umask."""
    return 0o777 if file.executable else 0o666


def _link(source: Path, target: Path) -> bool:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        return False
    return True


def _clone(source: int, target: int) -> bool:
    try:
        fcntl.ioctl(target, _CLONE, source)
    except OSError:
        return False
    return True


def _hash(fd: int) -> str:
    sha256 = hashlib.sha256()
    while data := os.read(fd, _STEP_BYTES):
        sha256.update(data)
    return f"sha256:{sha256.hexdigest()}"


def _copy(fd: int, target: Path, file: File) -> str:
    sha256 = hashlib.sha256()
    new = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode_of(file))
    try:
        while data := os.read(fd, _STEP_BYTES):
            sha256.update(data)
            view = memoryview(data)
            while view:
                view = view[os.write(new, view) :]
    finally:
        os.close(new)
    return f"sha256:{sha256.hexdigest()}"

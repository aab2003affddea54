"""Locks between processes that die with their holder.

Files whose holder may remove them are locked too, so having a lock means: having locked the file that still has the
name.
"""

import asyncio
import errno
import fcntl
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

_POLL: Final = 0.05
"""Seconds."""
_PATIENCE: Final = 60.0
"""Seconds that a holder may go without a sign of life."""
_NO_LOCKS: Final = frozenset({errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL})

_proven: dict[Path, bool] = {}


def try_lock(path: Path, *, shared: bool = False, create: bool = False) -> int | None:
    """The descriptor of a locked file; None if someone else has it, or if there is no such file.

    Where the file system has no locks, everybody gets it. Leases tell then whose a folder is.
    """
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT if create else 0)
    while True:
        try:
            # Others may read it, and so share a lock, if the folder lets them.
            fd = _open(path, flags, shared=shared)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            if is_at(fd, path):
                return fd
        except OSError as error:
            if error.errno in _NO_LOCKS:
                return fd
            os.close(fd)
            if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
                return None
            raise
        os.close(fd)


def _open(path: Path, flags: int, *, shared: bool) -> int:
    try:
        return os.open(path, flags, 0o644)
    except OSError as error:
        if not shared or error.errno not in {errno.EROFS, errno.EACCES, errno.EPERM}:
            raise
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)


def are_proven(folder: Path) -> bool:
    """Whether a lock of this file system was seen to keep another one out; asked once of each folder.

    It is not seen where locks belong to processes, as on NFS: there they may work all the same.
    """
    if folder not in _proven:
        _proven[folder] = _try_out(folder / f"try-{secrets.token_hex(8)}.lock")
    return _proven[folder]


def _try_out(path: Path) -> bool:
    fds: list[int] = []
    try:
        for _ in range(2):
            fds.append(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
            fcntl.flock(fds[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        for fd in fds:
            os.close(fd)
        with suppress(OSError):
            path.unlink()
    return False


def is_at(fd: int, path: Path) -> bool:
    """Whether an open file still has this name."""
    try:
        there = path.lstat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(fd), there)


def _touched(path: Path) -> int:
    try:
        return path.lstat().st_mtime_ns
    except FileNotFoundError:
        return 0


def remove_locked(fd: int, path: Path) -> None:
    """Removes a lock's file, then lets go of it."""
    path.unlink(missing_ok=True)
    os.close(fd)


@asynccontextmanager
async def waited_for(path: Path) -> AsyncIterator[int | None]:
    """The descriptor of a lock, once nobody else has it; None if its holder stands still.

    It only saves work, so a stopped process must not stop all others. A holder shows that it gets on by touching the
    file. Polls: a thread that waits in flock can't be cancelled, and the calls on the way are too short for a thread.
    """
    clock = asyncio.get_running_loop().time
    seen, since = -1, clock()
    while (fd := try_lock(path, create=True)) is None:
        touched = _touched(path)
        if touched != seen:
            seen, since = touched, clock()
        if clock() - since > _PATIENCE:
            break
        await asyncio.sleep(_POLL)
    try:
        yield fd
    finally:
        if fd is not None:
            remove_locked(fd, path)

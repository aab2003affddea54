"""Versions that programs use: no process evicts them.

A process locks each version once, however many users it has in it: on NFS, closing one descriptor of a file gives back
the lock of the whole process. A lease names the process. Where locks were not seen to work, the lease is what keeps the
version.
"""

import os
import secrets
import threading
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from modelyard._cache.locks import are_proven, is_at, try_lock
from modelyard._transfer import leases
from modelyard._transfer.leases import Holder

_STALE: Final = 7 * 24 * 3600.0
"""Seconds after its last use that a version is kept for a process elsewhere, where nothing can be locked."""
_HOLD: Final = "hold"
"""Prefix of a lease that itself keeps a version, where locks do not work."""
_USE: Final = "use"
"""Prefix of a lease that only names a process; its lock keeps the version."""


@dataclass(slots=True, eq=False)
class _Lock:
    """A version that this process has locked."""

    snapshot: Path
    fd: int
    lease: Path | None
    pid: int
    users: int = 0


_locks: dict[Path, _Lock] = {}
"""Those of this process. A forked child shares them: a lock is given back when both have closed it."""
_guard: Final = threading.Lock()
_given_back: Final[deque[_Lock]] = deque()
"""Locks that a user let go of. Garbage collection may do so at any moment, so it never waits for the guard."""

os.register_at_fork(before=_guard.acquire, after_in_parent=_guard.release, after_in_child=_guard.release)


class Hold:
    """Keeps versions in the cache until it is closed, or until nothing refers to it any more."""

    def __init__(self) -> None:
        self._used: list[_Lock] = []
        self._end = weakref.finalize(self, _give_back, self._used)
        self._end.atexit = False  # the end of the process gives all locks back

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        return type(None), ()  # what another process unpickles is not held for it

    def __deepcopy__(self, _: object) -> "Hold":
        """Another hold of the same versions, with an end of its own."""
        copied = Hold()
        with _turn():
            for lock in tuple(self._used):
                if lock.users:  # another thread may have closed this hold, and the lock, a moment ago
                    copied._use(lock)
        return copied

    def close(self) -> None:
        """Lets go of everything. Does nothing the second time."""
        self._end()

    def add(self, snapshot: Path) -> bool:
        """Keeps a version from being evicted, and notes its use. False if there is none."""
        with _turn():
            lock = _current(snapshot)
            if lock is None:
                try:
                    fd = try_lock(snapshot / "lock", shared=True)
                except PermissionError:
                    return True  # of another user who lets this one read the files, but not the lock
                if fd is None:
                    return False
                lock = _adopted(snapshot, fd)
            self._use(lock)
        if lock.lease is not None:
            leases.touch(lock.lease)
        return note_use(snapshot)

    def adopt(self, snapshot: Path, fd: int) -> None:
        """As :meth:`use`, for a version whose lock is taken already."""
        with _turn():
            self._use(_adopted(snapshot, fd))

    def _use(self, lock: _Lock) -> None:
        self._used.append(lock)
        lock.users += 1


def note_use(snapshot: Path) -> bool:
    """Has a version count as used just now. False if there is none."""
    try:
        os.utime(snapshot / "lock", follow_symlinks=False)
    except FileNotFoundError:
        return False
    except OSError:  # a cache that can only be read serves too
        pass
    return True


def is_held(snapshot: Path) -> bool:
    """Whether this very process uses a version. The lock would not tell: on NFS, a process is not in its own way."""
    with _turn():
        return snapshot in _locks


def is_leased(snapshot: Path) -> bool:
    """Whether a process uses a version that could not lock it."""
    return any(_alive(_leases(snapshot, _HOLD)))


def holders(snapshot: Path) -> list[Holder]:
    """The processes that use a version and could write a lease. Removes the leases of processes that have ended."""
    found = map(leases.holder, _alive(_leases(snapshot, "*")))
    return [holder for holder in found if holder is not None]


def _current(snapshot: Path) -> _Lock | None:
    lock = _locks.get(snapshot)
    return lock if lock is not None and is_at(lock.fd, snapshot / "lock") else None


def _adopted(snapshot: Path, fd: int) -> _Lock:
    # If the version was damaged, a former lock of it stays open as long as a hold uses it.
    lock = _locks[snapshot] = _Lock(snapshot, fd, _lease(snapshot), os.getpid())
    return lock


def _lease(snapshot: Path) -> Path | None:
    staging = _staging(snapshot)
    with suppress(OSError):
        kind = _USE if are_proven(staging) else _HOLD
        lease = staging / f"{kind}-{snapshot.name}-{os.getpid()}-{secrets.token_hex(4)}"
        leases.write(lease)
        return lease
    return None


def _give_back(used: list[_Lock]) -> None:
    _given_back.extend(used)
    used.clear()
    _settle()


@contextmanager
def _turn() -> Iterator[None]:
    with _guard:
        _drop()
        yield
    _settle()


def _settle() -> None:
    # The thread that has the guard looks again after giving it back, so no lock stays behind.
    while _given_back and _guard.acquire(blocking=False):
        try:
            _drop()
        finally:
            _guard.release()


def _drop() -> None:
    while _given_back:
        lock = _given_back.popleft()
        lock.users -= 1
        if lock.users:
            continue
        if _locks.get(lock.snapshot) is lock:
            del _locks[lock.snapshot]
        os.close(lock.fd)
        if lock.lease is not None and lock.pid == os.getpid():
            with suppress(OSError):
                lock.lease.unlink()


def _leases(snapshot: Path, kind: str) -> Iterator[Path]:
    return _staging(snapshot).glob(f"{kind}-{snapshot.name}-*")


def _alive(found: Iterator[Path]) -> Iterator[Path]:
    for lease in found:
        if leases.is_alive(lease, made=lease, stale=_STALE):
            yield lease
        else:
            with suppress(OSError):
                lease.unlink()


def _staging(snapshot: Path) -> Path:
    return snapshot.parent.parent / "staging"

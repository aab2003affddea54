"""Where in the cache's folder things are, and whether that folder can be trusted."""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Final

from modelyard._cache.locks import remove_locked, try_lock
from modelyard._cache.trust import check_trusted, trusted_root
from modelyard._transfer import leases
from modelyard.errors import CacheError

_PRIVATE: Final = 0o700
_READABLE: Final = 0o755
_NOT_OURS: Final = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


class Layout:
    """Paths below one root. Digests are checked before they come here."""

    def __init__(self, given: Path) -> None:
        self.given = given

    @cached_property
    def root(self) -> Path:
        """Raises ``CacheError`` if the folder can't be trusted."""
        return trusted_root(self.given)

    @property
    def blobs(self) -> Path:
        return self.root / "blobs" / "sha256"

    @property
    def snapshots(self) -> Path:
        return self.root / "snapshots"

    @property
    def references(self) -> Path:
        return self.root / "references"

    @property
    def staging(self) -> Path:
        return self.root / "staging"

    @property
    def pins(self) -> Path:
        return self.root / "pins"

    def blob(self, digest: str) -> Path:
        name = digest.removeprefix("sha256:")
        return self.blobs / name[:2] / name

    def stamp(self, digest: str) -> Path:
        return self.blob(digest).with_suffix(".stamp")

    def snapshot(self, manifest_digest: str) -> Path:
        return self.snapshots / manifest_digest.removeprefix("sha256:")

    def blob_lock(self, digest: str) -> Path:
        return self.staging / f"blob-{digest.removeprefix('sha256:')}.lock"

    @property
    def eviction_lock(self) -> Path:
        return self.staging / "eviction.lock"

    def check(self) -> bool:
        """Whether there is a cache. Raises ``CacheError`` if somebody else could change it. Makes nothing."""
        with explained(self.given):
            trusted_root(self.given)  # again: it may have changed
            for folder in self._folders():
                try:
                    check_trusted(folder)
                except FileNotFoundError:
                    continue
            return self.snapshots.is_dir()

    def prepare(self) -> None:
        """Makes the folders, and raises as :meth:`check` does."""
        with explained(self.given):
            trusted_root(self.given)
            self.root.parent.mkdir(parents=True, exist_ok=True)
            for folder in self._folders():
                try:
                    folder.mkdir(mode=_PRIVATE if folder == self.root else self.mode)
                except FileExistsError:
                    check_trusted(folder)

    def _folders(self) -> Iterator[Path]:
        yield from (self.root, self.blobs.parent, self.blobs, self.snapshots, self.references, self.staging, self.pins)

    @property
    def mode(self) -> int:
        """Of new folders: users that may list the root may read everything in it."""
        return _READABLE & (self.root.stat().st_mode | _PRIVATE)


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turns what the system says of a file of the cache into a ``CacheError`` that names the file."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # not of the system, but for example a TimeoutError of the caller's
            raise
        path = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else str(folder)
        raise CacheError(
            f"The cache {str(folder)!r} can't be used: {path}: {error.strerror}. {_advice(error.errno, folder)}",
            reason="CACHE_READ_ONLY" if error.errno in _NOT_OURS else "CACHE_UNUSABLE",
            metadata={"path": path},
        ) from error


def _advice(code: int, folder: Path) -> str:
    if code in {errno.ENOSPC, errno.EDQUOT}:
        return "Free space, for example with 'modelyard cache gc --max 10GB'"
    if code in _NOT_OURS:
        with suppress(OSError):
            status = folder.stat()
            if status.st_uid != os.geteuid():
                return (
                    f"It belongs to uid {status.st_uid} (mode {status.st_mode & 0o7777:o}), and this is uid"
                    f" {os.geteuid()}. To let other users read it: chmod -R a+rX {folder}"
                )
    return "Fix that, or set MODELYARD_CACHE_DIR to another folder"


class Staging:
    """A folder of one process for things to come; locked while that process lives, then swept by any other."""

    def __init__(self, layout: Layout) -> None:
        while True:
            self.path = layout.staging / secrets.token_hex(16)
            self._lock = _lock_of(self.path)
            fd = try_lock(self._lock, create=True)
            if fd is not None:
                break
        self._fd = fd
        self.path.mkdir(mode=0o700)
        leases.write(self.lease)

    @property
    def lease(self) -> Path:
        """Says that this process lives, where locks lock nothing."""
        return self.path / "lease"

    def close(self) -> None:
        remove_tree(self.path)
        remove_locked(self._fd, self._lock)


def sweep(layout: Layout) -> None:
    """Removes what processes that died left in the staging folder."""
    for lock in layout.staging.glob("*.lock"):
        fd = try_lock(lock)
        if fd is None:
            continue
        folder = lock.with_suffix("")
        if folder.exists() and leases.is_alive(folder / "lease", made=folder):
            os.close(fd)  # its lock locks nothing
            continue
        remove_tree(folder)
        remove_locked(fd, lock)


def _lock_of(folder: Path) -> Path:
    return folder.with_suffix(".lock")


def remove_tree(path: Path) -> None:
    """Removes a folder whose subfolders may be read-only. What another process removes at the same time is fine."""
    for folder, _, _ in os.walk(path):
        with suppress(FileNotFoundError):
            Path(folder).chmod(0o700)  # os.walk enters no links
    shutil.rmtree(path, ignore_errors=True)

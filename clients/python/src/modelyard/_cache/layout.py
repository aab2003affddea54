"""Where in the cache's folder things are, and whether that folder can be trusted."""

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from modelyard._cache.locks import remove_locked, try_lock
from modelyard.errors import CacheError

_HOME: Final = "set MODELYARD_CACHE_DIR to a folder of your own"
_UNUSABLE: Final = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE}
    | {errno.EEXIST, errno.ENOTDIR, errno.ELOOP, errno.ESTALE}
)


class Layout:
    """Paths below one root. Digests are checked before they come here."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.blobs = root / "blobs" / "sha256"
        self.snapshots = root / "snapshots"
        self.references = root / "references"
        self.staging = root / "staging"
        self.pins = root / "pins"

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

    def prepare(self) -> None:
        """Makes the folders. Raises ``CacheError`` if one is not this user's alone to write to."""
        with explained(self.root):
            self.root.parent.mkdir(parents=True, exist_ok=True)
            for folder in (
                self.root,
                self.blobs.parent,
                self.blobs,
                self.snapshots,
                self.references,
                self.staging,
                self.pins,
            ):
                try:
                    folder.mkdir(mode=0o700)
                except FileExistsError:
                    _check_private(folder)


def _check_private(folder: Path) -> None:
    status = folder.lstat()
    if stat.S_ISLNK(status.st_mode):
        raise CacheError(
            f"{str(folder)!r} is a symbolic link, and the cache follows none; set MODELYARD_CACHE_DIR to the folder"
            " that it leads to, or remove it",
            reason="CACHE_UNSAFE",
        )
    if not stat.S_ISDIR(status.st_mode):
        raise CacheError(f"{str(folder)!r} is no folder; remove it, or {_HOME}", reason="CACHE_UNSAFE")
    if status.st_uid != os.geteuid():
        raise CacheError(
            f"{str(folder)!r} belongs to another user (uid {status.st_uid}), who could change models in it; {_HOME}",
            reason="CACHE_UNSAFE",
        )
    if status.st_mode & 0o022:
        raise CacheError(
            f"{str(folder)!r} can be written to by other users (mode {stat.S_IMODE(status.st_mode):o}), so its models"
            f" can't be trusted; remove it, or {_HOME}",
            reason="CACHE_UNSAFE",
        )


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turns what the system says of a folder that can't be used into a ``CacheError``."""
    try:
        yield
    except OSError as error:
        if error.errno not in _UNUSABLE:
            raise
        raise CacheError(
            f"{str(folder)!r} can't be used: {error.strerror}. Free space or fix its permissions, or set"
            " MODELYARD_CACHE_DIR to another folder",
            reason="CACHE_UNUSABLE",
        ) from error


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

    def close(self) -> None:
        remove_tree(self.path)
        remove_locked(self._fd, self._lock)


def sweep(layout: Layout) -> None:
    """Removes what processes that died left in the staging folder."""
    for lock in layout.staging.glob("*.lock"):
        fd = try_lock(lock)
        if fd is not None:
            remove_tree(lock.with_suffix(""))
            remove_locked(fd, lock)


def _lock_of(folder: Path) -> Path:
    return folder.with_suffix(".lock")


def remove_tree(path: Path) -> None:
    """Removes a folder whose subfolders may be read-only. What another process removes at the same time is fine."""
    for folder, _, _ in os.walk(path):
        with suppress(FileNotFoundError):
            Path(folder).chmod(0o700)  # os.walk enters no links
    shutil.rmtree(path, ignore_errors=True)

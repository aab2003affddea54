"""Whole versions: made in the staging folder, put in place at once, told to be intact without reading them."""

import errno
import json
import os
import shutil
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from modelyard._cache.locks import is_at, try_lock
from modelyard._transfer.stamps import Stamp
from modelyard.core.manifest import File, manifest_digest
from modelyard.errors import CacheError

_ATTEMPTS: Final = 100
_PAUSE: Final = 0.02
"""Seconds."""

_held: dict[Path, int] = {}
"""Locks of the snapshots that this process was given, for as long as it lives; a forked child shares them."""


def hold(snapshot: Path) -> bool:
    """Keeps a snapshot from being evicted while this process lives, and notes its use. False if there is none."""
    lock = snapshot / "lock"
    fd = _held.get(snapshot)
    if fd is None or not is_at(fd, lock):
        fd = try_lock(lock, shared=True)
        if fd is None:
            return False
        adopt(snapshot, fd)
    os.utime(lock, follow_symlinks=False)
    return True


def adopt(snapshot: Path, fd: int) -> None:
    """Keeps a lock that was taken already."""
    # A former one, of a snapshot that was damaged, stays open: another thread may be looking at it.
    _held[snapshot] = fd


def is_held(snapshot: Path) -> bool:
    """Whether this very process uses it. The lock would not tell: on NFS, a process is not in its own way."""
    return snapshot in _held


def is_intact(snapshot: Path, digest: str) -> bool:
    """Whether it holds the files of this manifest and nothing else, unchanged since each was verified."""
    if snapshot.is_symlink():
        return False
    try:
        fd = os.open(snapshot / "record.json", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        with os.fdopen(fd, "rb") as record:
            entries = json.load(record)
        stamps = {path: Stamp(size, mtime, inode) for path, _, size, mtime, inode in entries}
        if manifest_digest(File(path, size, sha256) for path, sha256, size, _, _ in entries) != digest:
            return False
        found = 0
        for path, status in _walk(snapshot / "files"):
            if stamps.get(path) != Stamp.of(status) or not stat.S_ISREG(status.st_mode):
                return False
            found += 1
    except (OSError, ValueError, TypeError, AttributeError):
        return False
    return found == len(stamps)


def _walk(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """All that is below a folder but folders; links are not followed."""
    pending = [(root, "")]
    while pending:
        folder, prefix = pending.pop()
        if folder.is_symlink():
            raise NotADirectoryError(folder)
        with os.scandir(folder) as entries:
            for entry in entries:
                name = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    pending.append((Path(entry.path), f"{name}/"))
                else:
                    yield name, entry.stat(follow_symlinks=False)


def build(folder: Path, files: Sequence[File], content: Path) -> None:
    """Makes a snapshot out of verified files in ``content`` that are named by their digests."""
    folder.mkdir(mode=0o700)
    root = folder / "files"
    root.mkdir()
    entries = []
    for file in files:
        target = root / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(content / file.digest, target)
        entries.append((file.path, file.digest, *Stamp.of(target.lstat())))
    (folder / "record.json").write_text(json.dumps(entries))
    # So that no program writes its own files between those of the model.
    for path, _, _ in os.walk(root):
        Path(path).chmod(0o555)


def install(staged: Path, snapshot: Path, digest: str) -> None:
    """Puts a snapshot in place and holds it; does nothing if an intact one is there by now.

    A damaged one may be in use: those who use it keep the files that they have open, find the others again under the
    same names, and go on holding the same lock.
    """
    aside = staged.with_name("damaged")
    for attempt in range(_ATTEMPTS):
        if hold(snapshot):
            if is_intact(snapshot, digest):
                return
            with suppress(OSError):
                (staged / "lock").unlink(missing_ok=True)
                os.link(snapshot / "lock", staged / "lock")
            _move(snapshot, aside.with_suffix(f".{attempt}"))
        fd = try_lock(staged / "lock", shared=True, create=True)
        if fd is not None:
            if _move(staged, snapshot):
                adopt(snapshot, fd)
                return
            os.close(fd)
        if not (snapshot / "lock").exists():
            _move(snapshot, aside.with_suffix(f".{attempt}"))
        time.sleep(_PAUSE)  # someone is evicting the old one, or just put a new one in place
    raise CacheError(
        f"{str(snapshot)!r} can't be replaced: some program keeps its lock; stop it, or remove that folder",
        reason="CACHE_UNUSABLE",
    )


def _move(source: Path, target: Path) -> bool:
    """Whether a folder was there, and nothing where it was to go."""
    try:
        source.rename(target)
    except OSError as error:
        if error.errno not in {errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST}:
            raise
        return False
    return True


def link_or_copy(source: Path, target: Path) -> None:
    """A hard link; a copy where the file system has none, or no more of them."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in {errno.EMLINK, errno.EPERM, errno.ENOTSUP, errno.EXDEV, errno.ENOSYS}:
            raise
        shutil.copy2(source, target, follow_symlinks=False)

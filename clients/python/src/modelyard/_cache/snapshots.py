"""Whole versions: made in the staging folder, put in place at once, told to be intact without reading them."""

import errno
import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from modelyard._cache.locks import is_at, try_lock
from modelyard._transfer.copies import clone_or_copy, link_or_copy
from modelyard._transfer.records import is_unchanged, record_of
from modelyard.core.manifest import File
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
            return is_unchanged(snapshot / "files", json.load(record), digest)
    except (OSError, ValueError):
        return False


def build(folder: Path, files: Sequence[File], content: Path) -> None:
    """Makes a snapshot out of verified files in ``content`` that are named by their digests."""
    folder.mkdir(mode=0o700)
    root = folder / "files"
    root.mkdir()
    for file in files:
        target = root / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.executable:
            # A link has the mode of the blob, and other files may have the same bytes without the bit.
            clone_or_copy(content / file.digest, target, 0o555)
        else:
            link_or_copy(content / file.digest, target)
    (folder / "record.json").write_text(json.dumps(record_of(root, files)))
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

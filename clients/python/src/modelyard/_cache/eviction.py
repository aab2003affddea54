"""Making room: least recently used versions go first, those in use never."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from modelyard._cache.blobs import remove_blob
from modelyard._cache.holds import is_held, is_leased
from modelyard._cache.layout import Layout, Staging, remove_tree
from modelyard._cache.locks import try_lock
from modelyard._cache.pins import pinned


def usage(layout: Layout) -> int:
    """Bytes of all models in the cache, those that versions share counted once."""
    sizes = {status.st_ino: status.st_size for _, status in _blobs(layout)}
    for files in layout.snapshots.glob("*/files"):
        sizes.update((status.st_ino, status.st_size) for _, status in _files(files))
    return sum(sizes.values())


def evict(layout: Layout, staging: Staging, max_bytes: int) -> None:
    """Removes versions until the rest fits. Call it with the eviction lock held."""
    if usage(layout) <= max_bytes:
        return
    remove_orphans(layout)
    kept = pinned(layout)
    for snapshot in sorted(layout.snapshots.iterdir(), key=last_use):
        if usage(layout) <= max_bytes:
            return
        if snapshot.name not in kept and remove_unused(snapshot, staging.path / snapshot.name):
            remove_orphans(layout)


def last_use(snapshot: Path) -> int:
    """In nanoseconds since 1970; 0 if the version is not whole."""
    try:
        return (snapshot / "lock").lstat().st_mtime_ns
    except OSError:  # not whole
        return 0


def remove_unused(snapshot: Path, aside: Path) -> bool:
    """Whether a version was removed, by way of ``aside``; not if a process uses it."""
    if is_held(snapshot) or is_leased(snapshot):
        return False
    lock = snapshot / "lock"
    fd = try_lock(lock)
    if fd is None and lock.exists():
        return False
    try:
        # At once out of sight: nobody must find half of it.
        snapshot.rename(aside)
    except FileNotFoundError:
        return False
    finally:
        if fd is not None:
            os.close(fd)
    remove_tree(aside)
    return True


def remove_orphans(layout: Layout) -> None:
    """Removes blobs that no version has.

    A fetch that goes on links a blob into its staging folder before it relies on it, so what it has is no orphan; if it
    links one right now, it keeps the bytes, and only the name goes.
    """
    # Not by the number of names: targets of pulls have links to the same files.
    roots = (*layout.snapshots.glob("*/files"), *layout.staging.glob("*/content"), *layout.staging.glob("*/snapshot"))
    used = {status.st_ino for root in roots for _, status in _files(root)}
    for path, status in _blobs(layout):
        if status.st_ino not in used:
            remove_blob(path)


def _blobs(layout: Layout) -> Iterator[tuple[Path, os.stat_result]]:
    return ((path, status) for path, status in _files(layout.blobs) if not path.suffix)  # else it is a stamp


def _files(root: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """What is below a folder but folders; what vanishes meanwhile is left out."""
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            with suppress(FileNotFoundError):
                yield path, path.lstat()

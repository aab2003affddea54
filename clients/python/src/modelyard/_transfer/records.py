"""What a folder held when its files were verified, and whether it still does, told without reading them."""

import os
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from modelyard._transfer.stamps import Stamp
from modelyard.core.manifest import File, manifest_digest

Record = list[tuple[str, str, int, int, int, bool]]
"""Of each file: path, digest, size, mtime in nanoseconds, inode, executable."""


def record_of(root: Path, files: Iterable[File]) -> Record:
    """The record of verified files below ``root``, as they are now."""
    return [
        (file.path, file.digest, *Stamp.of((root / file.path).lstat()), file.executable)
        for file in sorted(files, key=lambda file: file.path)
    ]


def is_unchanged(root: Path, record: Sequence[Sequence[Any]], digest: str, *, beside: Collection[str] = ()) -> bool:
    """Whether ``root`` holds the files of this manifest digest and nothing else, unchanged since they were recorded.

    ``beside`` are names directly in ``root`` that do not count. A record that can't be read is one of no folder.
    """
    try:
        # Records of earlier releases do not have the last member.
        files = [File(path, size, sha256, *executable) for path, sha256, size, _, _, *executable in record]
        stamps = {entry[0]: Stamp(*entry[2:5]) for entry in record}
        if manifest_digest(files) != digest:
            return False
        found = 0
        for path, status in walk(root):
            if path.partition("/")[0] in beside:
                continue
            if stamps.get(path) != Stamp.of(status) or not stat.S_ISREG(status.st_mode):
                return False
            found += 1
    except (OSError, ValueError, TypeError, AttributeError, IndexError):
        return False
    return found == len(stamps)


def walk(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """All that is below a folder but folders, with paths from it; links are not followed."""
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

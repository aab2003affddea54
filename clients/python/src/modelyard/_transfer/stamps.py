"""Whether a file is still the one that was looked at, told without reading it."""

import os
from typing import NamedTuple, Self


class Stamp(NamedTuple):
    """What changes when a file is written, truncated or replaced."""

    size: int
    """In bytes."""
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        return cls(status.st_size, status.st_mtime_ns, status.st_ino)

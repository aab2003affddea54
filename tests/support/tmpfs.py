"""A small disk in memory, that fills up and that can be made read-only."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_BLOCK = 64 << 10


class SmallDisk:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._filler = path / "filler"

    @property
    def free(self) -> int:
        """In bytes."""
        status = os.statvfs(self.path)
        return status.f_bavail * status.f_frsize

    def fill(self, leave: int = 0) -> None:
        """Takes all space but ``leave`` bytes."""
        with self._filler.open("ab") as file:
            while (rest := self.free - leave) > 0:
                file.write(bytes(min(_BLOCK, rest)))
                file.flush()

    def clear(self) -> None:
        """Gives back what :meth:`fill` took."""
        self._filler.unlink()

    def remount(self, options: str) -> None:
        """With ``ro`` or ``rw``. A file that is open for writing makes the kernel refuse ``ro``."""
        subprocess.run(["mount", "-o", f"remount,{options}", self.path], check=True, capture_output=True)


@contextmanager
def small_disk(path: Path, size: int) -> Iterator[SmallDisk]:
    """A disk of ``size`` bytes at ``path``; skips the test where mounting one is not allowed."""
    if os.geteuid() != 0:
        pytest.skip("needs root: a disk that fills up is mounted as a tmpfs")
    path.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", path],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f"this machine does not let us mount a tmpfs: {done.stderr.strip()}")
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)

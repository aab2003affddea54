"""A disk of our own, whose power can be cut: ext4 in a file, mounted through a loop device."""

import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

# _IOR('X', 125, __u32) of linux/fs/ext4; 2: data that the journal has not written yet is lost too.
_SHUTDOWN: Final = 0x8004587D
_NO_LOG_FLUSH: Final = 2


class UnavailableDiskError(Exception):
    """This machine does not let us mount one."""


class LoopDisk:
    def __init__(self, image: Path, mount: Path) -> None:
        self.path = mount
        self._image = image

    def mount(self) -> None:
        _run("mount", "-o", "loop", self._image, self.path)

    def unmount(self) -> None:
        _run("umount", self.path)

    def cut(self) -> None:
        """From now on nothing more reaches the disk, and what had not been synced is lost.

        Whoever writes to it must have been frozen before. A machine is gone together with its disk; here it would live
        on for the 20 ms that this takes, and ext4 then tells some that their fsync succeeded: those who ask for a
        transaction that the journal has just dropped, and no longer knows.
        """
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(descriptor)


@contextmanager
def loop_disk(folder: Path, size: int) -> Iterator[LoopDisk]:
    """A mounted disk of ``size`` bytes; ``UnavailableDiskError`` with the reason where that is not allowed."""
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        raise UnavailableDiskError("needs root and mkfs.ext4")
    image, mount = folder / "disk.img", folder / "disk"
    mount.mkdir()
    with image.open("wb") as file:
        file.truncate(size)
    _run("mkfs.ext4", "-q", "-F", image)
    disk = LoopDisk(image, mount)
    disk.mount()
    try:
        yield disk
    finally:
        disk.unmount()


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise UnavailableDiskError(f"{command[0]}: {done.stderr.strip()}")

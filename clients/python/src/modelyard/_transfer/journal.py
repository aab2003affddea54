"""What was being uploaded when the process died, so that the next push of the same file goes on from there.

It only saves time: a lost, torn or unwritable entry means that a file is sent from its start.
"""

import fcntl
import hashlib
import json
import os
import re
import stat
import time
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import Final

from modelyard._transfer.threads import opened

_KEPT: Final = 24 * 3600
"""Seconds; a server keeps unfinished uploads about as long."""
_MAX_ENTRY_BYTES: Final = 4096
_ENTRY: Final = re.compile(r"[0-9a-f]{64}\.json")


class Entry:
    """The name of one upload, kept in a file that only one process has locked.

    A second process that pushes the same file finds it locked and uploads for itself: two streams into one upload would
    only drive each other out. Methods block; call them in a thread.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._fd = -1
        if path is None:
            return
        with suppress(OSError):
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._fd = fd
            except OSError:
                os.close(fd)

    def read(self) -> str:
        """The upload's name, or nothing."""
        if self._fd < 0:
            return ""
        try:
            name = json.loads(os.pread(self._fd, _MAX_ENTRY_BYTES, 0))["upload"]
        except (OSError, ValueError, TypeError, KeyError):
            return ""
        return name if isinstance(name, str) else ""

    def write(self, upload: str) -> None:
        # In place: a rename would leave the lock on the file that it replaced.
        if self._fd >= 0:
            with suppress(OSError):
                os.ftruncate(self._fd, 0)
                os.pwrite(self._fd, json.dumps({"upload": upload}).encode(), 0)

    def remove(self) -> None:
        # Whoever opened the file before this locks a file without a name; that costs a resume, nothing else.
        if self._fd >= 0 and self._path is not None:
            with suppress(OSError):
                self._path.unlink()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)


class Journal:
    """The entries of one user, in files that nobody else may read."""

    def __init__(self, state_dir: Path | None) -> None:
        """Without a folder, nothing is noted."""
        self._folder = None if state_dir is None else state_dir / "uploads"

    def prepare(self) -> None:
        """Makes the folder and sweeps what is too old to be resumed. Blocks."""
        if self._folder is None:
            return
        oldest = time.time() - _KEPT
        with suppress(OSError):
            self._folder.parent.parent.mkdir(parents=True, exist_ok=True)
            for folder in (self._folder.parent, self._folder):
                folder.mkdir(exist_ok=True, mode=0o700)
            if not _is_private(self._folder):
                return
            for path in self._folder.iterdir():
                if _ENTRY.fullmatch(path.name) and path.lstat().st_mtime < oldest:
                    path.unlink(missing_ok=True)

    def entry(self, *key: str | int) -> AbstractAsyncContextManager[Entry]:
        """The entry of what ``key`` says: server, namespace, file, stamp, part. Any change makes it another."""
        name = hashlib.sha256(json.dumps(key).encode()).hexdigest()
        path = None if self._folder is None else self._folder / f"{name}.json"
        return opened(lambda: Entry(path), Entry.close)


def _is_private(folder: Path) -> bool:
    """Whether it is this user's own: sweeping must not be led into another folder."""
    status = folder.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022

"""The data folder of a server: its permissions, and a lock for one process."""

import fcntl
import os
from pathlib import Path


class DataDirectoryError(Exception):
    """The data folder can't be used."""


def database_in(path: Path) -> Path:
    """The path of the embedded database in a data folder."""
    return path / "modelyard.db"


class DataDirectory:
    """Locks a folder from ``open`` to ``close``. The kernel releases the lock if the process dies."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def open(cls, path: Path) -> "DataDirectory":
        """Creates the folder if it is missing, accessible only to its owner, and locks it."""
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(path / "server.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise DataDirectoryError(
                f"Can't use {path} as data directory: {error.strerror}. Fix this, or give another --data-dir."
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(lock, 20, 0).decode(errors="replace").strip()
            os.close(lock)
            raise DataDirectoryError(
                f"Another server (process {holder or 'unknown'}) uses {path}. Stop it, or give another --data-dir."
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        return cls(path, lock)

    @property
    def database(self) -> Path:
        return database_in(self.path)

    def close(self) -> None:
        os.close(self._lock)

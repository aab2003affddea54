"""Where the files of a target are made before they are put in place; swept if its process died."""

import fcntl
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from modelyard._transfer import leases


class Staging:
    """A hidden folder on the file system of the target, of one process."""

    def __init__(self, parent: Path, prefix: str) -> None:
        _sweep(parent, prefix)
        self.path = parent / f"{prefix}{secrets.token_hex(8)}"
        self.content = self.path / "content"
        """Files by their digests."""
        self.files = self.path / "files"
        """The target to be."""
        self.path.mkdir(mode=0o700)
        self._fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with suppress(OSError):  # without locks, the lease tells
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            leases.write(self.lease)
            self.content.mkdir()
            self.files.mkdir()
        except BaseException:
            self.close()
            raise

    @property
    def lease(self) -> Path:
        return self.path / "lease"

    def close(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._fd)


def _sweep(parent: Path, prefix: str) -> None:
    for left in parent.glob(f"{_escaped(prefix)}*"):
        with suppress(OSError):
            fd = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                if os.fstat(fd).st_uid != os.geteuid():
                    continue
                if not _is_locked(fd) and not leases.is_alive(left / "lease", made=left):
                    shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(fd)


def _is_locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # there are no locks here
        pass
    return False


def _escaped(prefix: str) -> str:
    return "".join(f"[{character}]" if character in "[*?" else character for character in prefix)

"""A version's files, copied out of the cache into a folder of the user's own."""

import errno
import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from modelyard._transfer.threads import in_thread, opened
from modelyard.core.manifest import File
from modelyard.errors import InvalidArgumentError, VerificationError

_STEP_BYTES: Final = 4 * 1024**2


async def export_file(file: File, snapshot: Path, target: Path) -> None:
    """Copies one file of a snapshot below ``target``, verified, by a temporary name and a rename.

    Replaces a file of that name, and a link instead of following it. Raises ``VerificationError`` if the cached bytes
    are not the version's, ``InvalidArgumentError`` if something else than a folder or a file is in the way.
    """
    try:
        async with opened(lambda: _Copy(file, snapshot, target), _Copy.close) as copy:
            while await in_thread(copy.step):
                pass
            await in_thread(copy.commit)
    except OSError as error:
        why = f"{str(target / file.path)!r} can't be written: {error.strerror}"
        raise InvalidArgumentError([("target", why)]) from error


class _Copy:
    def __init__(self, file: File, snapshot: Path, target: Path) -> None:
        self._file = file
        self._target = target
        self._hash = hashlib.sha256()
        self._name = file.path.rpartition("/")[2]
        self._temporary = f".modelyard-{secrets.token_hex(8)}"
        self._fds: list[int] = []
        self._folder = -1
        try:
            self._source = self._keep(self._open_source(snapshot))
            self._folder = self._open_folder(file.path.split("/")[:-1])
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            self._copy = self._keep(os.open(self._temporary, flags, 0o666, dir_fd=self._folder))
        except BaseException:
            self.close()
            raise

    def _open_source(self, snapshot: Path) -> int:
        try:
            return os.open(snapshot / self._file.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            raise damaged(self._file) from None

    def _keep(self, fd: int) -> int:
        self._fds.append(fd)
        return fd

    def _open_folder(self, segments: list[str]) -> int:
        """Opens the file's folder, made where it is missing. Only the target itself may be reached by a link."""
        self._target.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        fd = self._keep(os.open(self._target, flags))
        for segment in segments:
            with suppress(FileExistsError):
                os.mkdir(segment, dir_fd=fd)
            try:
                fd = self._keep(os.open(segment, flags | os.O_NOFOLLOW, dir_fd=fd))
            except OSError as error:
                if error.errno in {errno.ENOTDIR, errno.ELOOP}:
                    raise self._in_the_way(f"{segment!r} is no folder there, but a file or a link") from None
                raise
        return fd

    def step(self) -> bool:
        """Copies one batch; False once there is no more."""
        data = os.read(self._source, _STEP_BYTES)
        self._hash.update(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self._copy, view) :]
        return bool(data)

    def commit(self) -> None:
        actual = f"sha256:{self._hash.hexdigest()}"
        if actual != self._file.digest:
            raise damaged(self._file)
        try:
            os.replace(self._temporary, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        except IsADirectoryError:
            raise self._in_the_way("a folder has its name") from None

    def close(self) -> None:
        with suppress(OSError):  # it has its name by now, or was never made
            os.unlink(self._temporary, dir_fd=self._folder)
        for fd in self._fds:
            os.close(fd)

    def _in_the_way(self, why: str) -> InvalidArgumentError:
        place = str(self._target / self._file.path)
        return InvalidArgumentError([("target", f"{place!r} can't be written: {why}. Move it, or use another target")])


def damaged(file: File) -> VerificationError:
    return VerificationError(
        f"the cached copy of {file.path!r} was damaged on this machine's disk; it is not used any more, pull again to"
        " get it from the registry",
        reason="CACHE_DAMAGED",
        metadata={"path": file.path, "digest": file.digest},
    )

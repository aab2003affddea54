"""Which local files a push takes, and whether they may be a version's files."""

import os
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from modelyard._transfer.stamps import Stamp
from modelyard.core.limits import MAX_FILES
from modelyard.core.manifest import check_distinct, check_path
from modelyard.errors import FieldViolation, InvalidArgumentError


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file to push."""

    path: str
    """Its name in the version: relative, separated by ``/``, NFC."""
    source: Path
    """Where it is; no symbolic link."""
    stamp: Stamp
    """What it looked like when it was found. A push takes these bytes or fails."""
    executable: bool = False
    """Whether its owner may run it."""

    @property
    def size(self) -> int:
        """In bytes."""
        return self.stamp.size


def collect(source: Path) -> list[LocalFile]:
    """The files of a folder, hidden ones too, or the one file that ``source`` is; sorted by path.

    Raises ``InvalidArgumentError`` with all that is wrong at once: names that a version can't hold, links that leave
    the folder, sockets and devices, more than ``MAX_FILES`` files, none at all. Nothing is left out silently.
    """
    walk = _Walk(source)
    walk.run()
    files = sorted(walk.files, key=lambda file: file.path)
    if not walk.violations:
        if not files:
            walk.refuse(source, "the folder holds no files; a version needs at least one")
        try:
            check_distinct(file.path for file in files)
        except ValueError as error:
            walk.refuse(source, str(error))
    if walk.violations:
        raise InvalidArgumentError(walk.violations)
    return files


class _Walk:
    def __init__(self, source: Path) -> None:
        self.source = source
        self.files: list[LocalFile] = []
        self.violations: list[FieldViolation] = []

    def refuse(self, path: Path, why: str) -> None:
        # A name may hold bytes that are no text; it must still be possible to print the error.
        self.violations.append(FieldViolation(os.fsencode(path).decode(errors="backslashreplace"), why))

    def run(self) -> None:
        try:
            root = self.source.resolve(strict=True)
            status = root.stat()
        except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
            self.refuse(self.source, f"can't be read: {_reason(error)}. Push a file or a folder that exists")
            return
        if not stat.S_ISDIR(status.st_mode):
            self._take(self.source, root, self.source.name, status)
            return
        for entry, name in self._entries(root, ""):
            if len(self.files) + len(self.violations) >= MAX_FILES:
                self.refuse(self.source, f"holds more than {MAX_FILES} files, the most that a version may have")
                return
            path = Path(entry.path)
            if entry.is_symlink():
                self._follow(path, root, name)
                continue
            try:
                self._take(path, path, name, entry.stat(follow_symlinks=False))
            except OSError as error:
                self.refuse(path, f"can't be read: {_reason(error)}")

    def _entries(self, folder: Path, prefix: str) -> Iterator[tuple[os.DirEntry[str], str]]:
        """What is in a folder and below but folders, with names from the root; links to folders count as links."""
        pending = [(folder, prefix)]
        while pending:
            folder, prefix = pending.pop()
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        name = prefix + entry.name
                        if entry.is_dir(follow_symlinks=False):
                            pending.append((Path(entry.path), f"{name}/"))
                        else:
                            yield entry, name
            except OSError as error:
                self.refuse(folder, f"can't be listed: {_reason(error)}")

    def _follow(self, link: Path, root: Path, name: str) -> None:
        try:
            target = link.resolve(strict=True)
            status = target.stat()
        except (OSError, RuntimeError) as error:
            self.refuse(link, f"is a link that leads nowhere: {_reason(error)}. Remove it")
            return
        if not target.is_relative_to(root):
            self.refuse(
                link,
                "is a link that leaves the pushed folder, so it could carry a secret into the registry. If the file"
                " belongs to the model, put a copy in its place (`cp -rL` copies a folder with its links replaced)",
            )
        elif stat.S_ISDIR(status.st_mode):
            self.refuse(link, "is a link to a folder; put a copy in its place, or remove it")
        else:
            self._take(link, target, name, status)

    def _take(self, found: Path, source: Path, name: str, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            self.refuse(found, "is neither a file nor a folder but a socket, pipe or device; remove it")
            return
        if not os.access(source, os.R_OK):
            self.refuse(found, "can't be read: Permission denied")
            return
        try:
            path = check_path(unicodedata.normalize("NFC", name))
        except ValueError as error:
            self.refuse(found, f"{error}; rename it")
            return
        self.files.append(LocalFile(path, source, Stamp.of(status), bool(status.st_mode & stat.S_IXUSR)))


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)

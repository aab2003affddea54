"""Which local files a push takes, and whether they may be a version's files."""

import os
import stat
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from modelyard._transfer.selection import IGNORE_FILE, NEVER, Selection
from modelyard._transfer.stamps import Stamp
from modelyard.core.limits import MAX_FILES
from modelyard.core.manifest import check_distinct, check_path, unportable
from modelyard.errors import FieldViolation, InvalidArgumentError

_SHOWN: Final = 5


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


@dataclass(slots=True)
class Collected:
    """The files of a folder, and its warnings."""

    files: list[LocalFile] = field(default_factory=list)
    """Sorted by path."""
    left_out: list[str] = field(default_factory=list)
    """Names that a push leaves out by default."""
    empty_folders: list[str] = field(default_factory=list)
    """A version holds files alone."""

    def remarks(self) -> list[str]:
        """What the one who pushes may not expect, in sentences."""
        found: list[str] = []
        if self.left_out:
            found.append(f"Left out of the push: {_some(self.left_out)}. '!NAME' in {IGNORE_FILE} takes it in.")
        if self.empty_folders:
            found.append(f"Empty folders are not kept: {_some(self.empty_folders)}. Put a file into them.")
        names = [f"{file.path!r} ({why})" for file in self.files if (why := unportable(file.path))]
        if names:
            found.append(f"Names that some systems can't use: {_some(names)}.")
        return found


def _some(names: Sequence[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def collect(
    source: Path, *, include: Sequence[str] = (), exclude: Sequence[str] = (), links_within: Path | None = None
) -> Collected:
    """The files of a folder, hidden ones too, or the one file that ``source`` is.

    ``NEVER``, the patterns of ``.modelyardignore`` in the folder and those of ``exclude`` leave files out; the last
    that matches counts. Links are followed that stay in the folder, or in ``links_within``. A snapshot of the Hugging
    Face cache also has its blobs.

    Raises ``InvalidArgumentError`` with all that is wrong at once: names that a version can't hold, links that lead
    elsewhere, sockets and devices, more than ``MAX_FILES`` files, none at all.
    """
    walk = _Walk(source, include, exclude, links_within)
    walk.run()
    files = walk.found.files
    files.sort(key=lambda file: file.path)
    if not walk.violations:
        if not files:
            walk.refuse(source, "the folder holds no files to push; a version needs at least one")
        try:
            check_distinct(file.path for file in files)
        except ValueError as error:
            walk.refuse(source, str(error))
    if walk.violations:
        raise InvalidArgumentError(walk.violations)
    return walk.found


@dataclass(frozen=True, slots=True)
class _Folder:
    path: Path
    prefix: str
    above: tuple[Path, ...]
    """The real folders on the way to it: a link to one of them would never end."""


class _Walk:
    def __init__(self, source: Path, include: Sequence[str], exclude: Sequence[str], links_within: Path | None) -> None:
        self.source = source
        self.found = Collected()
        self.violations: list[FieldViolation] = []
        self._patterns = (include, exclude)
        self._roots = [] if links_within is None else [links_within]
        self._pending: list[_Folder] = []
        self._by_default = Selection(exclude=NEVER)

    def refuse(self, path: Path, why: str) -> None:
        # A name may hold bytes that are no text; it must still be possible to print the error.
        self.violations.append(FieldViolation(os.fsencode(path).decode(errors="backslashreplace"), why))

    def run(self) -> None:
        try:
            root = self.source.resolve(strict=True)
            status = root.stat()
            self._roots = [root, *_blobs_of(root), *(each.resolve(strict=True) for each in self._roots)]
        except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
            self.refuse(self.source, f"can't be read: {_reason(error)}. Push a file or a folder that exists")
            return
        if not stat.S_ISDIR(status.st_mode):
            self._take(self.source, root, self.source.name, status)
            return
        include, exclude = self._patterns
        self._selection = Selection(include, [*NEVER, *self._ignored(root), *exclude])
        self._pending.append(_Folder(root, "", (root,)))
        while self._pending:
            folder = self._pending.pop()
            try:
                with os.scandir(folder.path) as entries:
                    self._look(folder, entries)
            except OSError as error:
                self.refuse(folder.path, f"can't be listed: {_reason(error)}")
            if len(self.found.files) + len(self.violations) > MAX_FILES:
                self.refuse(self.source, f"holds more than {MAX_FILES} files, the most that a version may have")
                return

    def _ignored(self, root: Path) -> list[str]:
        try:
            return (root / IGNORE_FILE).read_text().splitlines()
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            self.refuse(root / IGNORE_FILE, f"can't be read: {error}")
            return []

    def _look(self, folder: _Folder, entries: Iterable[os.DirEntry[str]]) -> None:
        empty = True
        for entry in entries:
            empty = False
            name, path = folder.prefix + entry.name, Path(entry.path)
            is_folder = _leads_to_folder(entry)
            if self._selection.leaves_out(name, folder=is_folder):
                if self._by_default.leaves_out(name, folder=is_folder) and entry.name != IGNORE_FILE:
                    self.found.left_out.append(name)
                continue
            if len(self.found.files) + len(self.violations) > MAX_FILES:
                return
            if entry.is_symlink():
                self._follow(path, folder, name)
            elif is_folder:
                self._pending.append(_Folder(path, f"{name}/", (*folder.above, path)))
            else:
                try:
                    self._take(path, path, name, entry.stat(follow_symlinks=False))
                except OSError as error:
                    self.refuse(path, f"can't be read: {_reason(error)}")
        if empty:
            self.found.empty_folders.append(folder.prefix.rstrip("/") or ".")

    def _follow(self, link: Path, folder: _Folder, name: str) -> None:
        try:
            target = link.resolve(strict=True)
            status = target.stat()
        except (OSError, RuntimeError) as error:
            self.refuse(link, f"is a link that leads nowhere: {_reason(error)}. Remove it")
            return
        if not any(target.is_relative_to(root) for root in self._roots):
            self.refuse(
                link,
                "is a link that leaves the pushed folder, so it could carry a secret into the registry. If the file"
                " belongs to the model, name a folder that holds both (links_within), or put a copy in its place"
                " (`cp -rL` copies a folder with its links replaced)",
            )
        elif not stat.S_ISDIR(status.st_mode):
            self._take(link, target, name, status)
        elif any(above.is_relative_to(target) for above in folder.above):
            self.refuse(link, "is a link to a folder that it is in; remove it")
        else:
            self._pending.append(_Folder(target, f"{name}/", (*folder.above, target)))

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
        executable = bool(status.st_mode & stat.S_IXUSR)
        self.found.files.append(LocalFile(path, source, Stamp.of(status), executable))


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _blobs_of(snapshot: Path) -> list[Path]:
    """Where the files of a snapshot in the Hugging Face cache lead to."""
    blobs = snapshot.parent.parent / "blobs"
    return [blobs] if snapshot.parent.name == "snapshots" and blobs.is_dir() else []


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)

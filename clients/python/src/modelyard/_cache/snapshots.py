"""Whole versions: made in the staging folder, put in place at once, told to be intact without reading them."""

import errno
import hashlib
import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from modelyard._cache.holds import Hold
from modelyard._cache.locks import try_lock
from modelyard._transfer.copies import clone_or_copy, link_or_copy
from modelyard._transfer.records import Record, is_unchanged, record_of
from modelyard.core.manifest import File
from modelyard.errors import CacheError

_ATTEMPTS: Final = 100
_PAUSE: Final = 0.02
"""Seconds."""


def is_intact(snapshot: Path, digest: str) -> bool:
    """Whether it holds the files of this manifest and nothing else, unchanged since each was verified."""
    if snapshot.is_symlink():
        return False
    try:
        fd = os.open(snapshot / "record.json", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        with os.fdopen(fd, "rb") as record:
            return is_unchanged(snapshot / "files", json.load(record), digest)
    except (OSError, ValueError):
        return False


def hashed(snapshot: Path, digest: str) -> Record:
    """The record of a version whose files were read just now; empty if they are not those of this manifest."""
    try:
        entries = json.loads((snapshot / "record.json").read_bytes())
        files = [File(path, size, sha256, *executable) for path, sha256, size, _, _, *executable in entries]
        record = record_of(snapshot / "files", files)
        right = is_unchanged(snapshot / "files", record, digest) and all(
            digest_of(snapshot / "files" / file.path) == file.digest for file in files
        )
    except (OSError, ValueError, TypeError):
        return []
    return record if right else []


def digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def build(folder: Path, files: Sequence[File], content: Path, mode: int) -> None:
    """Makes a snapshot out of verified files in ``content`` that are named by their digests; ``mode`` is its own."""
    folder.mkdir(mode=mode)
    root = folder / "files"
    root.mkdir()
    for file in files:
        target = root / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.executable:
            # A link has the mode of the blob, and other files may have the same bytes without the bit.
            clone_or_copy(content / file.digest, target, 0o555)
        else:
            link_or_copy(content / file.digest, target)
    (folder / "record.json").write_text(json.dumps(record_of(root, files)))
    # So that no program writes its own files between those of the model.
    for path, _, _ in os.walk(root):
        Path(path).chmod(0o555)


def install(staged: Path, snapshot: Path, digest: str, hold: Hold) -> None:
    """Puts a snapshot in place and keeps it; does nothing if an intact one is there by now.

    A damaged one may be in use: those who use it keep the files that they have open, find the others again under the
    same names, and go on holding the same lock.
    """
    aside = staged.with_name("damaged")
    for attempt in range(_ATTEMPTS):
        if hold.add(snapshot):
            if is_intact(snapshot, digest):
                return
            with suppress(OSError):
                (staged / "lock").unlink(missing_ok=True)
                os.link(snapshot / "lock", staged / "lock")
            _move(snapshot, aside.with_suffix(f".{attempt}"))
        fd = try_lock(staged / "lock", shared=True, create=True)
        if fd is not None:
            if _move(staged, snapshot):
                hold.adopt(snapshot, fd)
                return
            os.close(fd)
        if not (snapshot / "lock").exists():
            _move(snapshot, aside.with_suffix(f".{attempt}"))
        time.sleep(_PAUSE)  # someone is evicting the old one, or just put a new one in place
    raise CacheError(
        f"{str(snapshot)!r} can't be replaced: some program keeps its lock; stop it, or remove that folder",
        reason="CACHE_UNUSABLE",
    )


def _move(source: Path, target: Path) -> bool:
    """Whether a folder was there, and nothing where it was to go."""
    try:
        source.rename(target)
    except OSError as error:
        if error.errno not in {errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST}:
            raise
        return False
    return True

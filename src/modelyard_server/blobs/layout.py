"""The files below the root of a :class:`~modelyard_server.blobs.local.LocalStore`.

``staging/<upload>``                          bytes of an upload, and, after its publication, a second name of the blob
``staging/<upload>.mark``                     how much of them is durable, see ``staging``
``staging/tmp-<random>``                      other unfinished files
``STORE_ID``                                  the id of the store, 32 hexadecimal digits
``blobs/sha256/<ab>/<digest>.<generation>``   a publication: whole, durable, never written again
"""

import os
import re
import stat
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from modelyard.core.manifest import check_digest
from modelyard_server import failpoints
from modelyard_server.blobs.disk import make_folder, sync_folder
from modelyard_server.blobs.store import BlobKey, Damage
from modelyard_server.calls.errors import blob_corrupt, storage_down

_MARK: Final = ".mark"
_TEMPORARY: Final = "tmp-"
_UPLOAD: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_GENERATION: Final = re.compile(r"[0-9a-f]{32}")
_PUBLICATION: Final = re.compile(r"(?P<digest>[0-9a-f]{64})\.(?P<generation>[0-9a-f]{32})")


# Times that every file system and every format of backups can hold: 1980-01-02 to 2038-01-19.
_FIRST_STAMP: Final = 315_619_200
_STAMPS: Final = 2**31 - _FIRST_STAMP


def stamp(descriptor: int, key: BlobKey) -> None:
    """Gives an open file the modification time of its publication: a number made from its generation.

    Nothing writes a publication again. So a file with any other time was written to, or another file took its place.
    """
    seconds = _stamp_of(key)
    os.utime(descriptor, (seconds, seconds))


def _stamp_of(key: BlobKey) -> int:
    return _FIRST_STAMP + int(_checked_generation(key)[:8], 16) % _STAMPS


def _checked_generation(key: BlobKey) -> str:
    if not _GENERATION.fullmatch(key.generation):
        raise ValueError(f"{key.generation[:80]!r} is not a generation")
    return key.generation


class Layout:
    """Paths below one root. Raises ``ValueError`` for an id that could leave the root."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._blobs = root / "blobs" / "sha256"
        self.staging = root / "staging"
        self.identity = root / "STORE_ID"

    def create(self) -> None:
        """Creates all folders durably, and removes unfinished files of earlier runs.

        It creates all 256 folders of blobs, so that each publication finds a durable folder.
        """
        make_folder(self.staging)
        make_folder(self._blobs)
        for number in range(256):
            (self._blobs / f"{number:02x}").mkdir(mode=0o700, exist_ok=True)
        # Also for folders of a run that died before this line.
        for folder in (self._blobs, self._blobs.parent, self._root):
            sync_folder(folder)
        for folder in (self.staging, self._root):
            for leftover in folder.glob(f"{_TEMPORARY}*"):
                leftover.unlink()

    def exists(self) -> bool:
        return self._blobs.is_dir()

    def staged(self, upload: str) -> Path:
        if not _UPLOAD.fullmatch(upload):
            raise ValueError(f"{upload[:80]!r} is not an upload id")
        return self.staging / upload

    def mark(self, upload: str) -> Path:
        return self.staged(upload).with_suffix(_MARK)

    def uploads(self) -> Generator[str, None, None]:
        """Every upload with a file or a mark."""
        try:
            found = os.scandir(self.staging)
        except FileNotFoundError:  # as in a backup without it
            return
        with found as entries:
            for entry in entries:
                upload = entry.name.removesuffix(_MARK)
                if _UPLOAD.fullmatch(upload) and (upload == entry.name or not self.staged(upload).exists()):
                    yield upload

    def probe(self) -> Path:
        """A file that is there for a moment, whenever it is asked whether the disk takes writes."""
        return self._root / f"{_TEMPORARY}{uuid4().hex}"

    def temporary(self) -> Path:
        """A unique path on the file system of the blobs, so that it can be linked there."""
        return self.staging / f"{_TEMPORARY}{uuid4().hex}"

    def blob(self, key: BlobKey) -> Path:
        digits = check_digest(key.digest).removeprefix("sha256:")
        return self._blobs / digits[:2] / f"{digits}.{_checked_generation(key)}"

    def damage(self, key: BlobKey) -> Damage | None:
        """The damage to a publication, by its size and its time; None if it is whole."""
        path = self.blob(key)
        try:
            found = path.stat(follow_symlinks=False)
        except FileNotFoundError:
            # Without the folder, the volume is not mounted: nobody knows what is on it.
            if not path.parent.is_dir():
                raise storage_down() from None
            return Damage.MISSING
        if not stat.S_ISREG(found.st_mode) or found.st_size != key.size:
            return Damage.RESIZED
        return Damage.CHANGED if int(found.st_mtime) != _stamp_of(key) else None

    def published(self) -> Generator[BlobKey, None, None]:
        """Every publication, with the size that it has."""
        for number in range(256):
            try:
                entries = os.scandir(self._blobs / f"{number:02x}")
            except FileNotFoundError:
                continue
            with entries:
                for entry in entries:
                    if (match := _PUBLICATION.fullmatch(entry.name)) is not None:
                        with suppress(FileNotFoundError):  # removed by now
                            size = entry.stat(follow_symlinks=False).st_size
                            yield BlobKey(f"sha256:{match['digest']}", match["generation"], size)

    def link(self, source: Path, key: BlobKey) -> None:
        """Links a finished file to its published name, which exists already after a crash before the reply."""
        target = self.blob(key)
        failpoints.hit("blob.before_link")
        try:
            failpoints.hit("blob.link")
            os.link(source, target)
        except FileExistsError:
            if target.stat().st_size != key.size:
                raise blob_corrupt(key.digest) from None
        failpoints.hit("blob.after_link")

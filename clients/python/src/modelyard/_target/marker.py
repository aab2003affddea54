"""What earlier pulls put where: the small JSON file beside a target."""

import json
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

_ABOUT: Final = "Written by a pull: it says which version the folder holds, so that the next pull may replace it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A folder that a pull made."""

    inode: int
    """The folder is told by it: a folder that a user put in its place is another one."""
    version: str
    digest: str
    """Manifest digest of the files that were pulled: the version's, or that of those which were chosen."""
    files: list[list[Any]]
    """A :data:`~modelyard._transfer.records.Record`. Empty until all files are in place."""
    names: list[str]
    """The entries of the folder, without those of its subfolders."""

    @property
    def paths(self) -> frozenset[str]:
        return frozenset(str(entry[0]) for entry in self.files)


def read(marker: Path) -> list[Placed]:
    """What a marker says; nothing if there is none, or if it can't be read."""
    try:
        told = json.loads(marker.read_bytes())
        return [Placed(**placed) for placed in told["folders"]]
    except (OSError, ValueError, TypeError, KeyError):
        return []


def write(marker: Path, placed: Iterable[Placed]) -> None:
    """Replaces a marker at once."""
    new = marker.with_name(f"{marker.name}.{secrets.token_hex(4)}")
    try:
        with new.open("x") as file:
            json.dump({"about": _ABOUT, "folders": [asdict(each) for each in placed]}, file)
        new.replace(marker)
    finally:
        with suppress(OSError):
            new.unlink()


def of(folder: Path, placed: Iterable[Placed]) -> Placed | None:
    """The one that is about the folder that is there now."""
    try:
        inode = os.lstat(folder).st_ino
    except OSError:
        return None
    return next((each for each in placed if each.inode == inode), None)

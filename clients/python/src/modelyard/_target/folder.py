"""A target that is a folder: looked at, filled beside its place, put in its place at once."""

import errno
import fcntl
import os
import re
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from modelyard._cache import Cache, Hold
from modelyard._connection import Connection
from modelyard._target import marker
from modelyard._target.exchange import exchange
from modelyard._target.fill import fill
from modelyard._target.marker import Placed
from modelyard._target.staging import Staging
from modelyard._transfer.progress import ProgressCallback
from modelyard._transfer.records import is_unchanged, record_of, walk
from modelyard._transfer.threads import in_thread, opened
from modelyard.errors import InvalidArgumentError
from modelyard.types import Version

_INSIDE: Final = ".modelyard.json"
_SHOWN: Final = 3
_SNAPSHOT: Final = re.compile(r".*/snapshots/[0-9a-f]{64}/files")
_CANT_MOVE: Final = frozenset({errno.EBUSY, errno.EXDEV})


class TargetFolder:
    """A folder that is to hold exactly one version."""

    def __init__(self, folder: Path, *, force: bool) -> None:
        """``force`` also replaces other files in the folder."""
        self.given: Final = folder
        self._force = force
        # A link that a user made leads to the folder that is meant; one that a pull made is replaced itself.
        self._folder = folder.absolute() if is_pulled_link(folder) else Path(os.path.realpath(folder))
        parent = self._folder.parent
        self._whole = not os.path.ismount(self._folder) and (not parent.is_dir() or _is_writable(parent))
        """Whether it can be replaced as a whole."""
        self._prefix = f".{self._folder.name}.modelyard-" if self._whole else ".modelyard-"
        self._marker = parent / f".{self._folder.name}.modelyard" if self._whole else self._folder / _INSIDE

    def check(self) -> None:
        """Raises ``InvalidArgumentError`` if something is in the way that no earlier pull put there. Blocks."""
        with _explained(self.given):
            self._check(self._placed(), replaced=False)

    def holds(self, digest: str) -> bool:
        """Whether the files of this manifest digest are there, and nothing else, unchanged since a pull. Blocks."""
        placed = self._placed()
        return (
            placed is not None
            and placed.digest == digest
            and is_unchanged(self._folder, placed.files, digest, beside=self._beside())
        )

    async def bring(
        self, connection: Connection, version: Version, *, cache: Cache | None, progress: ProgressCallback | None
    ) -> int:
        """Has the folder hold the files of a version; the bytes that came over the network.

        Raises ``InvalidArgumentError`` as :meth:`check` does, and leaves what was there then.
        """
        if await in_thread(self.holds, version.digest):
            return 0
        with _explained(self.given):
            await in_thread(self._check, self._placed())
            parent = self._folder.parent if self._whole else self._folder
            await in_thread(parent.mkdir, parents=True, exist_ok=True)
            async with opened(lambda: Staging(parent, self._prefix), Staging.close) as staging:
                with Hold() as hold:
                    received = await fill(
                        staging,
                        connection,
                        version,
                        cache=cache,
                        hold=hold,
                        former=self._former(),
                        progress=progress,
                    )
                await in_thread(self._put, staging, version)
            return received

    def _former(self) -> Path | None:
        return self._folder if self._placed() is not None else None

    def _placed(self) -> Placed | None:
        return marker.of(self._folder, marker.read(self._marker))

    def _beside(self) -> Collection[str]:
        if self._whole:
            return ()
        with suppress(OSError):
            return {_INSIDE, *(each.name for each in self._folder.iterdir() if each.name.startswith(self._prefix))}
        return ()

    def _check(self, placed: Placed | None, *, replaced: bool = True) -> None:
        if not os.path.lexists(self._folder) or is_pulled_link(self._folder):
            return
        if self._folder.is_symlink() or not self._folder.is_dir():
            raise self._refused("is not a folder; remove it, or use another target", reason="TARGET_NOT_A_FOLDER")
        if self._force:
            return
        others = list(self._others(placed))
        if others:
            shown = ", ".join(ascii(name) for name in others[:_SHOWN])
            more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
            raise self._refused(
                f"holds files that no pull put there: {shown}{more}. Nothing was changed. Use a new or empty folder, or"
                " force the pull to replace all that the folder holds",
                reason="TARGET_NOT_EMPTY",
            )
        if replaced and placed is not None and placed.files and not self._whole:
            raise self._refused(
                f"holds {placed.version} and can't be replaced in one step: it is a mount point, or its parent folder"
                f" can't be written to. Use a folder in it, for example {str(self.given / 'model')!r}, or force the"
                " pull to replace the files one by one",
                reason="TARGET_NOT_REPLACEABLE",
            )

    def _others(self, placed: Placed | None) -> Iterator[str]:
        known = placed.paths if placed is not None else frozenset()
        unfinished = placed.names if placed is not None and not placed.files else ()
        beside = {*self._beside(), *unfinished}
        for path, _ in walk(self._folder):
            if path not in known and path.partition("/")[0] not in beside:
                yield path

    def _put(self, staging: Staging, version: Version) -> None:
        placed = Placed(
            inode=staging.files.lstat().st_ino,
            version=str(version.name),
            digest=version.digest,
            files=[list(entry) for entry in record_of(staging.files, version.files)],
            names=sorted(each.name for each in staging.files.iterdir()),
        )
        with _turn(self._folder.parent if self._whole else self._folder):
            former = self._placed()
            self._check(former)
            if self._whole:
                self._replace(staging, former, placed)
            else:
                self._move_in(staging, former, placed)

    def _replace(self, staging: Staging, former: Placed | None, new: Placed) -> None:
        # Both stand in the marker until it is over: whichever folder is there after a kill is known.
        marker.write(self._marker, [*([former] if former else []), new])
        if os.path.lexists(self._folder):
            if self._folder.is_dir() and not self._folder.is_symlink():
                staging.files.chmod(self._folder.stat().st_mode & 0o7777)
            try:
                exchange(staging.files, self._folder)
            except OSError as error:
                if error.errno in _CANT_MOVE:
                    raise self._refused(
                        f"can't be replaced in one step: {error.strerror}. Remove it, or use another target",
                        reason="TARGET_NOT_REPLACEABLE",
                    ) from None
                raise
        else:
            staging.files.rename(self._folder)
        marker.write(self._marker, [new])

    def _move_in(self, staging: Staging, former: Placed | None, new: Placed) -> None:
        inode = self._folder.lstat().st_ino
        # Without files, it says of which names are not all in place.
        begun = Placed(inode=inode, version=new.version, digest=new.digest, files=[], names=new.names)
        beside = self._beside()
        left = [each.name for each in self._folder.iterdir() if each.name not in beside]
        if former is None or former.files:
            begun = Placed(
                inode=inode, version=new.version, digest=new.digest, files=[], names=sorted({*new.names, *left})
            )
        marker.write(self._marker, [begun])
        for name in left:
            path = self._folder / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        for name in new.names:
            (staging.files / name).rename(self._folder / name)
        marker.write(
            self._marker,
            [Placed(inode=inode, version=new.version, digest=new.digest, files=new.files, names=new.names)],
        )

    def _refused(self, why: str, *, reason: str) -> InvalidArgumentError:
        return InvalidArgumentError([("target", f"{str(self.given)!r} {why}")], reason=reason)


def _is_writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def is_pulled_link(path: Path) -> bool:
    """Whether it is a link that a pull made: it leads to a version in a cache."""
    try:
        return bool(_SNAPSHOT.fullmatch(str(path.readlink())))
    except OSError:
        return False


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """Lets one process at a time put something in place here; without locks, the last one wins."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


@contextmanager
def _explained(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = error.filename if isinstance(error.filename, str) else str(target)
        raise InvalidArgumentError(
            [("target", f"{place!r} can't be written: {error.strerror or error}")], reason="TARGET_UNUSABLE"
        ) from error

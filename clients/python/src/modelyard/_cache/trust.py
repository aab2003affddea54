"""Whether a cache folder can be trusted: nobody but this user and root may be able to change what is in it."""

import grp
import os
import pwd
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from modelyard.errors import CacheError

_HOME: Final = "set MODELYARD_CACHE_DIR to a folder of your own"
_SHOWN: Final = 3


def trusted_root(given: Path) -> Path:
    """Where the cache is if it was put at ``given``: there, where that leads to, or in a folder of this user's in it.

    Many users may be able to write to a folder, as to a volume of a cluster. If none of them can rename what another
    one has put there, each has a folder of its own in it. Raises ``CacheError`` with what makes it unsafe.
    """
    try:
        status = given.lstat()
    except FileNotFoundError:
        return given
    root = given
    if stat.S_ISLNK(status.st_mode):
        if not _is_trusted(status.st_uid):
            raise _unsafe(given, f"is a symbolic link of another user ({_user(status.st_uid)}), who could change it")
        root = Path(os.path.realpath(given))
        if not root.exists():
            return root
        status = root.stat()
    if not stat.S_ISDIR(status.st_mode):
        raise _unsafe(root, "is no folder; remove it")
    if not _is_trusted(status.st_uid):
        raise _unsafe(root, f"belongs to another user ({_user(status.st_uid)}), who could change models in it")
    return root / f"user-{os.geteuid()}" if _is_shared(root, status) else root


def _is_shared(root: Path, status: os.stat_result) -> bool:
    """Whether others may put things into a folder, but can't change what this user has put there."""
    mode = stat.S_IMODE(status.st_mode)
    others = _others_in(status.st_gid) if mode & 0o020 else ""
    if not mode & 0o002 and not others and (status.st_uid == os.geteuid() or not mode & 0o020):
        return False
    if mode & stat.S_ISVTX:
        return True
    if mode & 0o002:
        raise _unsafe(
            root,
            f"can be written to by other users (mode {mode:o}), so its models can't be trusted; remove that right with"
            " 'chmod o-w', or set the sticky bit with 'chmod +t'",
        )
    if others:
        raise _unsafe(
            root,
            f"can be written to by the group {_group(status.st_gid)} (mode {mode:o}), which others are in too:"
            f" {others}; remove that right with 'chmod g-w', or set the sticky bit with 'chmod +t'",
        )
    return True


def check_trusted(folder: Path) -> None:
    """Raises ``CacheError`` if others can change what is in a folder of the cache, which exists."""
    status = folder.lstat()
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISLNK(status.st_mode):
        raise _unsafe(folder, "is a symbolic link inside of the cache, and the cache follows none; remove it")
    if not stat.S_ISDIR(status.st_mode):
        raise _unsafe(folder, "is no folder; remove it")
    if not _is_trusted(status.st_uid):
        raise _unsafe(folder, f"belongs to another user ({_user(status.st_uid)}), who could change models in it")
    if mode & 0o002 or (mode & 0o020 and _others_in(status.st_gid)):
        raise _unsafe(
            folder,
            f"can be written to by other users (mode {mode:o}), so its models can't be trusted; remove it",
        )


def _is_trusted(uid: int) -> bool:
    return uid in {0, os.geteuid()}  # root can change everything anyway


def _others_in(gid: int) -> str:
    """The users that a group has but for this one and root, as this machine knows them; empty if there are none."""
    ours = {0, os.geteuid()}
    names = {user.pw_name for user in pwd.getpwall() if user.pw_gid == gid and user.pw_uid not in ours}
    own = {user.pw_name for user in pwd.getpwall() if user.pw_uid in ours}
    with suppress(KeyError):
        names |= set(grp.getgrgid(gid).gr_mem) - own
    shown = sorted(names)[:_SHOWN]
    return ", ".join([*shown, *(["…"] if len(names) > _SHOWN else [])])


def _user(uid: int) -> str:
    try:
        return f"{pwd.getpwuid(uid).pw_name}, uid {uid}"
    except KeyError:
        return f"uid {uid}"


def _group(gid: int) -> str:
    try:
        return f"{grp.getgrgid(gid).gr_name!r} (gid {gid})"
    except KeyError:
        return f"with gid {gid}"


def _unsafe(folder: Path, why: str) -> CacheError:
    return CacheError(f"{str(folder)!r} {why}, or {_HOME}", reason="CACHE_UNSAFE", metadata={"path": str(folder)})

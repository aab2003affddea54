"""Two paths that change places in one step."""

import ctypes
import errno
import os
import secrets
import sys
from functools import cache
from pathlib import Path
from typing import Any, Final

_AT_FDCWD: Final = -100
_EXCHANGE: Final = 2
"""RENAME_EXCHANGE of Linux, and RENAME_SWAP of macOS."""
_NOT_HERE: Final = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP})


def exchange(one: Path, other: Path) -> None:
    """Swaps what two paths of one file system lead to; both exist before and after, at every moment.

    Where the system or the file system can't do that, ``other`` is away for the moment between two renames.
    """
    swap = _swap()
    if swap is not None:
        if swap(os.fsencode(one), os.fsencode(other)) == 0:
            return
        code = ctypes.get_errno()
        if code not in _NOT_HERE:
            raise OSError(code, os.strerror(code), str(other))
    aside = one.with_name(f"{one.name}.{secrets.token_hex(4)}")
    other.rename(aside)
    try:
        one.rename(other)
    except BaseException:
        aside.rename(other)
        raise
    aside.rename(one)


@cache
def _swap() -> Any:
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "darwin":
        renamex = getattr(libc, "renamex_np", None)
        return renamex and (lambda one, other: renamex(one, other, _EXCHANGE))
    renameat2 = getattr(libc, "renameat2", None)
    return renameat2 and (lambda one, other: renameat2(_AT_FDCWD, one, _AT_FDCWD, other, _EXCHANGE))

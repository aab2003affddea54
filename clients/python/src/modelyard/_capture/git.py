"""The git repository that the running code is in, asked of git itself.

A repository's configuration can make git start other programs, take locks, or reach for the network. None of that may
happen because somebody pushes a model. (Content filters, such as those of LFS, are the exception: without them git
would see differences where there are none.)
"""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedRandom
from pathlib import Path
from typing import Final

from modelyard._capture.budget import Budget, TooLateError
from modelyard._capture.secrets import mask_text
from modelyard._capture.text import clean

_MAX_ANSWER_BYTES: Final = 64 << 20
"""A longer difference has no digest."""
_MAX_LINE_BYTES: Final = 4096
_POLL_SECONDS: Final = 0.002
_REAP_SECONDS: Final = 1.0
"""A killed process is gone at once, unless the machine is overloaded."""

# What of the environment git gets: its own variables, left by a hook that we run in, would point elsewhere.
_INHERITED: Final = (
    *("PATH", "HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "TMPDIR"),
    *("SYSTEMROOT", "USERPROFILE", "TEMP"),
)
_FIXED: Final = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ALLOW_PROTOCOL": "",  # partial clones fetch what a difference needs: not now
    "GIT_NO_LAZY_FETCH": "1",
    "LC_ALL": "C",
}
_GIT: Final = ("git", "--no-pager", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}")
# Spelled out, so that nobody's settings make another digest of the same difference.
_DIFF: Final = (
    *("diff", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--no-relative", "--full-index"),
    *("--unified=3", "--diff-algorithm=myers", "--src-prefix=a/", "--dst-prefix=b/"),
    *("--ignore-submodules=dirty", "HEAD"),
)
_STATUS: Final = ("status", "--porcelain", "--untracked-files=no", "--ignore-submodules=dirty", "--no-renames")
_URL: Final = re.compile(r"(?P<scheme>\w[\w+.-]*://)(?:(?P<user>[^/]*)@)?(?P<rest>[^?#]*)")
_SCP: Final = re.compile(r"(?P<scheme>)(?:(?P<user>[^/]*)@)?(?P<rest>[^/@]+:.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """What git says; empty where it does not know or was too slow."""

    top: Path | None = None
    url: str = ""
    commit: str = ""
    branch: str = ""
    dirty: bool = False
    """Whether tracked files differ from the commit; True as well if that could not be told in time."""
    diff_digest: str = ""


class _NoAnswerError(Exception):
    """Git failed: not a repository, no such thing in it, or not this user's."""


def repository(folders: Iterable[Path], budget: Budget) -> Repository | None:
    """The repository that the first of ``folders`` that is in one is in; None if none is."""
    top = next((top for folder in folders if (top := _top(folder)) is not None), None)
    if top is None:
        return None
    commit = _line(top, budget, "rev-parse", "--verify", "--quiet", "HEAD")
    branch = _line(top, budget, "symbolic-ref", "--quiet", "--short", "HEAD")
    url = without_credentials(_line(top, budget, "config", "--get", "remote.origin.url"))
    dirty = bool(commit) and _dirty(top, budget)
    diff_digest = _diff_digest(top, budget) if dirty else ""
    return Repository(top=top, url=url, commit=commit, branch=branch, dirty=dirty, diff_digest=diff_digest)


def without_credentials(url: str) -> str:
    """The address of a remote without user, password, query and fragment; only the ``git@`` of SSH stays."""
    match = _URL.match(url) or _SCP.fullmatch(url)
    if match is None:
        return mask_text(url)
    user = "git@" if match["user"] == "git" else ""
    return mask_text(f"{match['scheme']}{user}{match['rest']}")


def _top(folder: Path) -> Path | None:
    # Looked for here first, so that no program is started where there is no repository.
    return next((top for top in (folder, *folder.parents) if (top / ".git").exists()), None)


def _line(top: Path, budget: Budget, *question: str) -> str:
    """The first line of git's answer, empty if there is none."""
    with suppress(OSError, _NoAnswerError, TooLateError), _answer(top, budget, *question) as answer:
        return clean(mask_text(answer.readline(_MAX_LINE_BYTES).decode("utf-8", "replace").strip()))
    return ""


def _dirty(top: Path, budget: Budget) -> bool:
    with suppress(OSError, _NoAnswerError, TooLateError), _answer(top, budget, *_STATUS) as answer:
        return bool(answer.read(1))
    return True  # nobody may take the commit for the code that ran


def _diff_digest(top: Path, budget: Budget) -> str:
    index = top / _line(top, budget, "rev-parse", "--git-path", "index")
    # Unlike status, diff locks and writes the index even if told not to, so it gets a copy. The times go with it,
    # since by the index's own git tells which files may have changed after they were looked at.
    with suppress(OSError, _NoAnswerError, TooLateError), tempfile.TemporaryDirectory() as folder:
        copy = shutil.copy2(index, Path(folder) / "index")
        with _answer(top, budget, *_DIFF, GIT_INDEX_FILE=str(copy)) as answer:
            return f"sha256:{hashlib.file_digest(answer, 'sha256').hexdigest()}"
    return ""


@contextmanager
def _answer(top: Path, budget: Budget, *question: str, **variables: str) -> Iterator[BufferedRandom]:
    """What git prints, as a file.

    Raises ``OSError`` if git can't be started, :class:`_NoAnswerError` if it fails and ``TooLateError`` if it takes too
    long or says too much; git and what it started are then killed.
    """
    budget.check()
    # A file, not a pipe: nothing here can block on it, whoever keeps the other end open.
    with tempfile.TemporaryFile() as answer:
        process = subprocess.Popen(  # noqa: S603 - no shell; the words are this module's own
            [*_GIT, "-C", str(top), *question],
            stdin=subprocess.DEVNULL,
            stdout=answer,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in _INHERITED if name in os.environ} | _FIXED | variables,
            start_new_session=True,
        )
        try:
            while process.poll() is None:
                budget.check()
                if os.fstat(answer.fileno()).st_size > _MAX_ANSWER_BYTES:
                    raise TooLateError
                time.sleep(_POLL_SECONDS)
        finally:
            _end(process)
        if process.returncode:
            raise _NoAnswerError
        answer.seek(0)
        yield answer


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    with suppress(ProcessLookupError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_REAP_SECONDS)

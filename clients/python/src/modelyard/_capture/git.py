"""What only git can tell: whether the work tree differs from its commit, and how.

A repository's configuration can make git start other programs, take locks, or reach for the network. None of that may
happen because somebody pushes a model. (Content filters, such as those of LFS, are the exception: without them git
would see differences where there are none.) So git is never told to trust a repository of another user.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedRandom
from pathlib import Path
from typing import Final

from modelyard._capture.budget import Budget, NotKnownError
from modelyard._capture.dot_git import Checkout, Head
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


class _NoAnswerError(Exception):
    """Git failed."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def head(checkout: Checkout, budget: Budget) -> Head:
    """The commit and the branch. Raises :class:`NotKnownError`."""
    with _explained(checkout):
        commit = _line(checkout, budget, "rev-parse", "--verify", "--quiet", "HEAD")
        return Head(commit=commit, branch=_line(checkout, budget, "symbolic-ref", "--quiet", "--short", "HEAD"))


def differs(checkout: Checkout, budget: Budget) -> bool:
    """Whether tracked files differ from the commit. Raises :class:`NotKnownError`."""
    with _explained(checkout), _answer(checkout.top, budget, *_STATUS) as answer:
        return bool(answer.read(1))


def diff_digest(checkout: Checkout, budget: Budget) -> str:
    """``sha256:…`` of the difference. Raises :class:`NotKnownError`."""
    # Unlike status, diff locks and writes the index even if told not to, so it gets a copy. The times go with it,
    # since by the index's own git tells which files may have changed after they were looked at.
    with _explained(checkout), tempfile.TemporaryDirectory() as folder:
        copy = shutil.copy2(checkout.folder / "index", Path(folder) / "index")
        with _answer(checkout.top, budget, *_DIFF, GIT_INDEX_FILE=str(copy)) as answer:
            return f"sha256:{hashlib.file_digest(answer, 'sha256').hexdigest()}"


@contextmanager
def _explained(checkout: Checkout) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise NotKnownError("git is not installed" if error.filename == "git" else _reason(error)) from None
    except OSError as error:
        raise NotKnownError(_reason(error)) from None
    except _NoAnswerError as error:
        if checkout.belongs_to_another_user:
            raise NotKnownError(
                "the repository belongs to another user; git compares it only if safe.directory in your git"
                " configuration names it"
            ) from None
        raise NotKnownError(f"git failed with exit code {error.code}") from None


def _reason(error: OSError) -> str:
    return f"git could not be asked: {error.strerror or type(error).__name__}"


def _line(checkout: Checkout, budget: Budget, *question: str) -> str:
    """The first line of git's answer; empty if git quietly says that there is none."""
    try:
        with _answer(checkout.top, budget, *question) as answer:
            return clean(mask_text(answer.readline(_MAX_LINE_BYTES).decode("utf-8", "replace").strip()))
    except _NoAnswerError as error:
        if error.code == 1:
            return ""
        raise


@contextmanager
def _answer(top: Path, budget: Budget, *question: str, **variables: str) -> Iterator[BufferedRandom]:
    """What git prints, as a file.

    Raises ``OSError`` if git can't be started, :class:`_NoAnswerError` if it fails and :class:`NotKnownError` if it
    takes too long or says too much; git and what it started are then killed.
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
                    raise NotKnownError(f"git's answer is longer than {_MAX_ANSWER_BYTES >> 20} MiB")
                time.sleep(_POLL_SECONDS)
        finally:
            _end(process)
        if process.returncode:
            raise _NoAnswerError(process.returncode)
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

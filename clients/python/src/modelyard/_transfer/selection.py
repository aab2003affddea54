"""Which files are meant, by patterns as in ``.gitignore``."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Final

from pathspec import GitIgnoreSpec

from modelyard.core.manifest import File
from modelyard.errors import InvalidArgumentError, NotFoundError

IGNORE_FILE: Final = ".modelyardignore"
"""A file with patterns, one a line, directly in a folder that is pushed."""
NEVER: Final = (
    *(".git", ".hg", ".svn", "__pycache__", ".ipynb_checkpoints", ".DS_Store", ".env", IGNORE_FILE),
    ".modelyard.json",
)
"""Left out of every push of a folder, unless a pattern such as ``!.env`` takes them in."""
_SHOWN: Final = 3


class Selection:
    """Files that match one of the patterns to include, if there are any, and for which no pattern to exclude counts.

    Of the patterns to exclude the last that matches counts; one that begins with ``!`` takes a file in again.
    """

    def __init__(self, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> None:
        """Raises ``InvalidArgumentError`` for an invalid pattern."""
        self._include = _spec("include", include) if include else None
        self._exclude = _spec("exclude", exclude)

    def leaves_out(self, path: str, *, folder: bool = False) -> bool:
        """Whether a file, or all that is in a folder, is not meant."""
        if self._exclude.match_file(f"{path}/" if folder else path):
            return True
        return not folder and self._include is not None and not self._include.match_file(path)


def chosen(
    files: Sequence[File], *, include: Sequence[str], exclude: Sequence[str], paths: Sequence[str]
) -> list[File]:
    """The files of a version that a pull is about: those at ``paths``, or else those that the patterns select.

    Raises ``NotFoundError`` if there is no file at a path, or if nothing is left.
    """
    if paths:
        known = {file.path: file for file in files}
        for path in paths:
            if path not in known:
                raise _missing(path, known)
        return [known[path] for path in dict.fromkeys(paths)]
    selection = Selection(include, exclude)
    found = [file for file in files if not selection.leaves_out(file.path)]
    if not found:
        raise NotFoundError(
            f"None of the {len(files)} files of the version is selected by include={list(include)!r} and"
            f" exclude={list(exclude)!r}.",
            reason="FILE_NOT_FOUND",
        )
    return found


def _missing(path: str, known: Iterable[str]) -> NotFoundError:
    close = difflib.get_close_matches(path, list(known), n=_SHOWN) or sorted(known)[:_SHOWN]
    return NotFoundError(
        f"The version has no file {path!r}. It has for example {', '.join(map(repr, close))}.",
        reason="FILE_NOT_FOUND",
        metadata={"path": path},
    )


def _spec(name: str, patterns: Sequence[str]) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise InvalidArgumentError([(name, f"{error}. Use patterns as in .gitignore, for example '*.tmp'.")]) from None

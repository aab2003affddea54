"""The repository that the running code is in, read from its own files.

The files of ``.git`` are read as data. No program is started and no setting of the repository is obeyed, so this is
quick, needs no git, and is safe in a repository that belongs to somebody else.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modelyard._capture.budget import Budget, NotKnownError
from modelyard._capture.secrets import mask_text
from modelyard._capture.text import clean

_MAX_LINE_BYTES: Final = 4096
_MAX_CONFIG_BYTES: Final = 1 << 20
_MAX_PACKED_BYTES: Final = 256 << 20
_MAX_LINKS: Final = 5
"""References that name references."""

_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REF: Final = re.compile(r"ref:\s*(?P<name>refs/.+)")
_ORIGIN: Final = re.compile(r'\[\s*(?i:remote)\s+"origin"\s*\](?P<rest>.*)')
_URL_SETTING: Final = re.compile(r"\s*url\s*=\s*(?P<value>.*)", re.IGNORECASE)
_URL: Final = re.compile(r"(?P<scheme>\w[\w+.-]*://)(?:(?P<user>[^/]*)@)?(?P<rest>[^?#]*)")
_SCP: Final = re.compile(r"(?P<scheme>)(?:(?P<user>[^/]*)@)?(?P<rest>[^/@]+:.*)")
_ELSEWHERE: Final = "refs/heads/.invalid"
"""What HEAD names if the references are kept in a form that is not read here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A work tree and its repository."""

    top: Path
    folder: Path
    """``.git``, or what it leads to."""
    common: Path
    """What all work trees of the repository share."""

    @property
    def belongs_to_another_user(self) -> bool:
        owner = getattr(os, "geteuid", lambda: None)()
        return owner is not None and any(path.stat().st_uid != owner for path in (self.top, self.folder))


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The commit and the branch of a work tree."""

    commit: str = ""
    """Empty before the first commit."""
    branch: str = ""
    """Empty if no branch is checked out."""


class KeptElsewhereError(Exception):
    """Only git can read the references of this repository."""


def find(folders: Iterable[Path]) -> Checkout | None:
    """The checkout that the first of ``folders`` that is in one is in; None if none is.

    Raises :class:`NotKnownError` if there is one that this user can't read.
    """
    candidates = (top for folder in folders for top in (folder, *folder.parents))
    return next((found for top in candidates if (found := _checkout(top)) is not None), None)


def head(checkout: Checkout, budget: Budget) -> Head:
    """The commit and the branch. Raises :class:`NotKnownError` and :class:`KeptElsewhereError`."""
    text = _line(checkout.folder / "HEAD")
    if _COMMIT.fullmatch(text):
        return Head(commit=text)
    name = _name_in(text)
    if name == _ELSEWHERE:
        raise KeptElsewhereError
    branch = clean(mask_text(name.removeprefix("refs/heads/"))) if name.startswith("refs/heads/") else ""
    return Head(commit=_commit_of(checkout, name, budget), branch=branch)


def remote(checkout: Checkout) -> str:
    """The address of ``origin``, without credentials; empty if there is none."""
    found, inside = "", False
    for line in _text(checkout.common / "config", _MAX_CONFIG_BYTES).splitlines():
        stripped = line.strip()
        if stripped.startswith("["):
            match = _ORIGIN.match(stripped)
            inside, stripped = match is not None, match["rest"] if match is not None else ""
        if inside and (setting := _URL_SETTING.fullmatch(stripped)) is not None:
            found = _value(setting["value"])
    return clean(without_credentials(found))


def without_credentials(url: str) -> str:
    """The address of a remote without user, password, query and fragment; only the ``git@`` of SSH stays."""
    match = _URL.match(url) or _SCP.fullmatch(url)
    if match is None:
        return mask_text(url)
    user = "git@" if match["user"] == "git" else ""
    return mask_text(f"{match['scheme']}{user}{match['rest']}")


def _checkout(top: Path) -> Checkout | None:
    folder = top / ".git"
    try:
        mode = folder.stat().st_mode
        if stat.S_ISREG(mode):  # of a work tree beside the first one, and of a submodule
            folder = top / _line(folder).removeprefix("gitdir:").strip()
        (folder / "HEAD").stat()
        named = folder / "commondir"
        common = folder / _line(named) if named.exists() else folder
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        raise NotKnownError("the repository's files can't be read by this user") from None
    return Checkout(top=top, folder=folder, common=common)


def _commit_of(checkout: Checkout, name: str, budget: Budget) -> str:
    """The commit that a reference names; empty if it names none yet."""
    for _ in range(_MAX_LINKS):
        text = _loose(checkout, name)
        if not text:
            return _packed(checkout, name, budget)
        if _COMMIT.fullmatch(text):
            return text
        name = _name_in(text)
    raise NotKnownError("the repository's references lead nowhere")


def _loose(checkout: Checkout, name: str) -> str:
    for folder in (checkout.folder, checkout.common):
        try:
            return _line(folder / os.fsdecode(name.encode("utf-8", "surrogateescape")))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            continue
    return ""


def _packed(checkout: Checkout, name: str, budget: Budget) -> str:
    wanted = f" {name}"
    try:
        for line in _lines(checkout.common / "packed-refs", budget):
            if line.endswith(wanted):
                commit = line.removesuffix(wanted)
                return commit if _COMMIT.fullmatch(commit) else ""
    except FileNotFoundError:
        pass
    return ""


def _name_in(text: str) -> str:
    match = _REF.fullmatch(text)
    # It becomes a path: nothing outside the repository may be looked at.
    if match is None or ".." in match["name"].split("/"):
        raise NotKnownError("the repository's HEAD is damaged")
    return match["name"]


def _value(text: str) -> str:
    """A value as git reads it: quotes and a comment are not part of it."""
    quoted, found, characters = False, "", iter(text)
    for character in characters:
        if character == "\\":
            found += next(characters, "")
        elif character == '"':
            quoted = not quoted
        elif character in "#;" and not quoted:
            break
        else:
            found += character
    return found.strip()


def _line(file: Path) -> str:
    return next(iter(_text(file, _MAX_LINE_BYTES).splitlines()), "").strip()


def _text(file: Path, most: int) -> str:
    with os.fdopen(_opened(file), "rb") as data:
        return data.read(most).decode("utf-8", "surrogateescape")


def _lines(file: Path, budget: Budget) -> Iterator[str]:
    with os.fdopen(_opened(file), "rb") as data:
        while data.tell() < _MAX_PACKED_BYTES and (line := data.readline(_MAX_LINE_BYTES)):
            budget.check()
            yield line.decode("utf-8", "surrogateescape").rstrip("\n")


def _opened(file: Path) -> int:
    """A descriptor of a regular file. Its owner may have put a pipe there, which nobody must wait for."""
    descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(file)
    raise NotKnownError("the repository has something other than files")

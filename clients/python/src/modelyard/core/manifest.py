"""Digests, file paths and manifests: the rules that make a version's bytes one thing with one name.

The SDK and the server both check paths. A hostile client must not store a path that leaves the target folder or means
different files on different systems, and a hostile server must not make a client write one.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from modelyard.core.limits import MAX_BLOB_BYTES, MAX_FILES, MAX_PATH_BYTES, MAX_PATH_DEPTH, MAX_SEGMENT_BYTES

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
# Names that Windows opens as devices whatever their extension; the superscript digits count too.
_DEVICE: Final = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])(?:\..*)?", re.IGNORECASE)
_FORBIDDEN: Final = re.compile(r'["\\]')
_UNPORTABLE: Final = re.compile(r"[<>:|?*]")
# Escapes of '%', '.', '/', ':', '\\' and of control characters: decoded, they could make it another path.
_HIDDEN_ESCAPE: Final = re.compile(r"%(?:25|2[EeFf]|3[Aa]|5[Cc]|[01][0-9A-Fa-f]|7[Ff])")
_ESCAPE: Final = re.compile(r"%[0-9A-Fa-f]{2}")
_DRIVE: Final = re.compile(r"[A-Za-z]:")
# Zero-width joiners, which emoji and some scripts are written with.
_JOINERS: Final = frozenset("\u200c\u200d")
INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories of characters that can't be seen: control, format (bidirectional overrides, zero-width),
surrogate, private, unassigned; line and paragraph separators."""


def check_digest(digest: str) -> str:
    """Returns ``digest`` if it is a valid digest, else raises ``ValueError``."""
    if not _DIGEST.fullmatch(digest):
        raise ValueError(f"Invalid digest {digest[:100]!r}. Use 'sha256:' and 64 lower-case hexadecimal digits.")
    return digest


def check_path(path: str) -> str:
    """Returns ``path`` if it is allowed as the path of a file. Raises ``ValueError`` with the rule that it breaks."""
    if not path:
        raise ValueError("The path of a file is empty.")
    shown = _shown(path)
    _check_text(path, shown)
    segments = path.split("/")
    if path.startswith("/") or path == "~" or (path.startswith("~") and len(segments) > 1):
        raise ValueError(f"Invalid path {shown}. Use a relative path, without '~' before a folder.")
    if len(segments) > MAX_PATH_DEPTH:
        raise ValueError(f"Invalid path {shown}. Use at most {MAX_PATH_DEPTH} levels.")
    for segment in segments:
        _check_segment(segment, shown)
    return path


_SHOWN: Final = 130
"""Characters of a path that a message shows. Escapes make some paths six times as long."""


def _shown(path: str) -> str:
    shown = ascii(path)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…'"


def _check_text(path: str, shown: str) -> None:
    plain = path.isascii() and path.isprintable()  # as most are, and ten thousand of a version take a second otherwise
    for character in () if plain else path:
        if unicodedata.category(character) in INVISIBLE and character not in _JOINERS:
            raise ValueError(
                f"Invalid path {shown}. It has a control, invisible or undecodable character (U+{ord(character):04X})."
            )
    if len(path.encode()) > MAX_PATH_BYTES:
        raise ValueError(f"Invalid path {shown}. Use at most {MAX_PATH_BYTES} bytes.")
    if not plain and unicodedata.normalize("NFC", path) != path:
        raise ValueError(f"Invalid path {shown}. Use Unicode's composed form (NFC).")
    if found := _FORBIDDEN.search(path):
        raise ValueError(
            f"Invalid path {shown}. Don't use {found.group()!r}: some systems read it as another path. Use '/' for"
            " folders."
        )
    if found := _HIDDEN_ESCAPE.search(path):
        raise ValueError(f"Invalid path {shown}. Don't use {found.group()!r}: some programs read it as another path.")


def _check_segment(segment: str, shown: str) -> None:
    if segment in {"", ".", ".."}:
        raise ValueError(f"Invalid path {shown}. Don't use empty, '.' or '..' parts.")
    if segment[-1] in ". ":
        raise ValueError(f"Invalid path {shown}. Don't end a part in a dot or a space.")
    if len(segment.encode()) > MAX_SEGMENT_BYTES:
        raise ValueError(f"Invalid path {shown}. Use at most {MAX_SEGMENT_BYTES} bytes for each part.")
    if _DRIVE.match(segment):
        raise ValueError(f"Invalid path {shown}. Windows reads a part of it as a drive.")


def unportable(path: str) -> str:
    """Why a path, which :func:`check_path` admits, can't be used on some systems; empty if there is no reason."""
    if found := _UNPORTABLE.search(path):
        return f"Windows allows no {found.group()!r} in names"
    if any(_DEVICE.fullmatch(segment) for segment in path.split("/")):
        return "Windows reads a part of it as a device"
    if _ESCAPE.search(path):
        return "some programs decode percent escapes"
    if path.startswith("~"):
        return "shells read '~' as a home folder"
    if _JOINERS & set(path):
        return "it has an invisible character"
    return ""


def check_distinct(paths: Iterable[str]) -> None:
    """Raises ``ValueError`` if two paths differ only in case, or if one needs a folder where the other is a file."""
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    for path in paths:
        key = path.lower() if path.isascii() else unicodedata.normalize("NFC", path.casefold())
        if key in files:
            raise ValueError(
                f"The paths {_shown(files[key])} and {_shown(path)} are the same file on systems that ignore case."
            )
        files[key] = path
        # Each folder is looked at once, however many files it has.
        while (cut := key.rfind("/")) > 0 and (key := key[:cut]) not in folders:
            folders[key] = path
    for folder, path in folders.items():
        if folder in files:
            raise ValueError(
                f"The path {_shown(files[folder])} is a file, but {_shown(path)} needs a folder of that name."
            )


@dataclass(frozen=True, slots=True, order=True)
class File:
    """One file of a version."""

    path: str
    """Relative, separated by ``/``."""
    size: int
    """In bytes."""
    digest: str
    """``sha256:`` and 64 hexadecimal digits."""
    executable: bool = False
    """Whether its owner may run it."""


def check_file(file: File) -> File:
    """Returns ``file`` if a version may have it, else raises ``ValueError``."""
    check_path(file.path)
    check_digest(file.digest)
    if not 0 <= file.size <= MAX_BLOB_BYTES:
        raise ValueError(f"The file {_shown(file.path)} has {file.size} bytes. Use 0 to {MAX_BLOB_BYTES}.")
    return file


def check_files(files: Sequence[File]) -> Sequence[File]:
    """Returns ``files`` if a version may have them together, else raises ``ValueError``.

    Each by itself (:func:`check_file`), their number, their paths (:func:`check_distinct`), and one size for each
    digest. No files at all pass: some answers leave them out.
    """
    if len(files) > MAX_FILES:
        raise ValueError(f"it has {len(files)} files, but a version has at most {MAX_FILES}")
    for file in files:
        check_file(file)
    check_distinct(file.path for file in files)
    if len({file.digest for file in files}) != len({(file.digest, file.size) for file in files}):
        raise ValueError("files with the same digest have different sizes")
    return files


def manifest_digest(files: Iterable[File]) -> str:
    """``sha256:…`` of the manifest: the list of {path, sha256, size} by path in code-point order, as canonical JSON.

    A file that is executable also has ``"executable": true``. The form is RFC 8785; the paths that :func:`check_path`
    admits need no escape, so :mod:`json` writes that form.
    """
    entries = [
        {"path": file.path, "sha256": file.digest.removeprefix("sha256:"), "size": file.size}
        | ({"executable": True} if file.executable else {})
        for file in sorted(files, key=lambda file: file.path)
    ]
    canonical = json.dumps(entries, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"

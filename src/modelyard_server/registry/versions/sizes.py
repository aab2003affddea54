"""How large a version's message may get, reckoned from its values: nothing is encoded, so it takes no time to speak of.

What is reckoned is not less than what a message takes, but for a few bytes; for many short entries it is a tenth more.
"""

from collections.abc import Mapping
from typing import Any, Final

from modelyard.core.manifest import File
from modelyard_server.calls.errors import invalid
from modelyard_server.registry.versions.values import Version

_REST: Final = 2048
"""Bytes of names, times, the etag and what else is always short."""
_FILE: Final = 98
"""Of a file beside its path: digest, size, the executable bit and framing."""
_KEY: Final = 7
_TEXT: Final = 6
_OTHER: Final = 12


def check_size(before: Version, after: Version, most: int) -> None:
    """Raises ``INVALID_FIELD`` if an update lets a version outgrow ``most`` bytes. Making it smaller is always allowed.

    Both come with their files.
    """
    size = message_bytes(after)
    if size <= most or size <= message_bytes(before):
        return
    edited = {name: _of(getattr(after, name)) for name in ("description", "labels", "annotations")}
    parts = ", ".join(f"{name} {length}" for name, length in edited.items())
    raise invalid(
        "version",
        f"would be about {size} bytes long, and at most {most} fit into a message. Its files and facts are frozen;"
        f" shorten what is not (bytes: {parts})",
    )


def message_bytes(version: Version) -> int:
    """Of the message of a version with its files."""
    texts = (version.description, version.deprecation_reason, version.quarantine_reason)
    edited = sum(map(_of, (*texts, version.labels, version.annotations, list(version.aliases))))
    return _REST + sum(map(_of_file, version.files or ())) + _of(version.recorded.stored) + edited


def _of_file(file: File) -> int:
    return len(file.path.encode()) + _FILE


def _of(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode()) + _TEXT
    if isinstance(value, Mapping):
        return _OTHER + sum(len(key.encode()) + _KEY + _of(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return _OTHER + sum(map(_of, value))
    return _OTHER

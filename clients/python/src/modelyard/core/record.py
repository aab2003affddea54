"""What all records can do: tell themselves shortly, be hashed, and become plain data."""

import html
import unicodedata
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields
from datetime import datetime
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

from modelyard.core.manifest import INVISIBLE
from modelyard.core.times import rfc3339

_T = TypeVar("_T")

_SHORT: Final = 60
"""Characters of one value in a short form."""
_FOR_PROGRAMS: Final = frozenset({"uid", "etag"})
_FEW: Final = 3
"""Entries of a list or a map that a short form has; more are counted."""
_UNFOLDED: Final = 10
"""Entries of a list or a map that HTML shows at once; more are folded."""
_SHOWN: Final = 1000
"""Entries of a list or a map that HTML has."""


class Record:
    """A frozen record. Equal records have equal hashes; that of a record with maps takes time in their size."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON has it: names as text, times as RFC 3339 in UTC, sizes in bytes. A new dictionary."""
        told: dict[str, Any] = dict(identity(self))
        for name, value in members(self):
            if not isinstance(value, bytes):  # those of an event hold what its other fields do
                told[name] = plain(value)
        return told

    def _identity(self) -> Mapping[str, Any]:
        """What :meth:`to_dict` has first: what the record tells by properties."""
        return {}

    def _summary(self) -> Iterable[str]:
        """The parts of the short form: fields that are not as they would be anyhow."""
        defaults = {each.name: each.default for each in fields(self) if each.repr}  # type: ignore[arg-type]
        for name, value in members(self):
            if (
                name in defaults
                and name not in _FOR_PROGRAMS
                and value != defaults[name]
                and value not in (None, "", (), {})
            ):
                yield f"{name}={_short(value)}"

    def _repr_html_(self) -> str:
        """HTML for a notebook. Stored text is escaped."""
        left = "style='text-align:left'"
        rows = "".join(
            f"<tr><th {left}>{_text(name)}</th><td {left}>{_cell(value)}</td></tr>"
            for name, value in self.to_dict().items()
            if value not in (None, "", [], {})
        )
        return f"<table><caption>{_text(type(self).__name__)}</caption><tbody>{rows}</tbody></table>"


def identity(record: Record) -> Mapping[str, Any]:
    """Values of properties, as ``reference``, that are shown before the fields."""
    return record._identity()  # noqa: SLF001 - of this module's own class


def readable(made: type[_T]) -> type[_T]:
    """Gives a dataclass the short form and the hash of a record instead of those that dataclasses have."""
    made.__repr__ = _repr  # type: ignore[method-assign,assignment]
    made.__hash__ = _hash  # type: ignore[method-assign,assignment]
    return made


def plain(value: Any) -> Any:
    """``value`` as what :mod:`json` writes."""
    match value:
        case Record():
            return value.to_dict()
        case datetime():
            return rfc3339(value)
        case Enum():
            return value.value
        case Mapping():
            return {key: plain(value[key]) for key in sorted(value)}
        case list() | tuple():
            return [plain(each) for each in value]
        case Path():
            return str(value)
        case _ if hasattr(value, "__dataclass_fields__"):
            if _is_name(value):
                return str(value)
            return {name: plain(each) for name, each in members(value)}
        case _:
            return value


def _is_name(value: object) -> bool:
    return "__str__" in vars(type(value))


def members(record: Any) -> list[tuple[str, Any]]:
    """The names and values of the fields that are meant for users, in their order."""
    return [(each.name, getattr(record, each.name)) for each in fields(record) if not each.name.startswith("_")]


def _repr(record: Record) -> str:
    return f"{type(record).__name__}({', '.join(record._summary())})"  # noqa: SLF001 - of this module's own class


def _hash(record: Record) -> int:
    return hash((type(record), *(_frozen(value) for _, value in members(record))))


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return frozenset((key, _frozen(each)) for key, each in value.items())
    if isinstance(value, list | tuple):
        return tuple(map(_frozen, value))
    return frozenset(value) if isinstance(value, AbstractSet) else value


def _short(value: Any) -> str:
    match value:
        case Enum():
            return f"{type(value).__name__}.{value.name}"
        case str():
            return repr(value) if len(value) <= _SHORT else repr(f"{value[: _SHORT - 1]}…")
        case datetime():
            return rfc3339(value)
        case Mapping() if len(value) > _FEW:
            return f"{{{len(value)} entries}}"
        case Mapping():
            return f"{{{', '.join(f'{_short(key)}: {_short(each)}' for key, each in value.items())}}}"
        case list() | tuple() if len(value) > _FEW:
            return f"({len(value)} items)"
        case list() | tuple():
            return f"({', '.join(map(_short, value))}{',' if len(value) == 1 else ''})"
        case _ if hasattr(value, "__dataclass_fields__") and not isinstance(value, Record):
            return str(value) if _is_name(value) else repr(value)
        case _:
            return repr(value)


def _cell(value: Any) -> str:
    """HTML of a plain value. A long list or map is folded, until a reader opens it."""
    if isinstance(value, Mapping):
        parts = [f"{_text(str(key))}={_cell(each)}" for key, each in islice(value.items(), _SHOWN)]
    elif isinstance(value, list):
        parts = [_cell(each) for each in value[:_SHOWN]]
    else:
        return _text(str(value))
    if len(value) <= _UNFOLDED:
        return ", ".join(parts)
    more = f"<br>… and {len(value) - _SHOWN} more; to_dict() has all" if len(value) > _SHOWN else ""
    return f"<details><summary>{len(value)} items</summary>{'<br>'.join(parts)}{more}</details>"


def _text(text: str) -> str:
    shown = "".join(
        character.encode("unicode_escape").decode("ascii")
        if unicodedata.category(character) in INVISIBLE
        else character
        for character in text
    )
    return html.escape(shown)

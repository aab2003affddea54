"""Tables with the columns that a person has chosen."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

import typer
from rich.table import Table

from modelyard.cli.layout import columns, when
from modelyard.cli.text import number, plain
from modelyard.core import record
from modelyard.core.suggestions import nearest
from modelyard.errors import UnknownFieldWarning
from modelyard.types import Model, Namespace, Version

_Kind = type[Namespace] | type[Model] | type[Version]


def with_columns(
    kind: _Kind, identity: str, chosen: str, default: Callable[[Sequence[Any]], Table]
) -> Callable[[Sequence[Any]], Table]:
    """How to show rows: with the field that identifies them and the chosen fields, if any are chosen.

    Keys of maps stand behind a dot. Several fields have commas between them.
    """
    names = [name.strip() for name in chosen.split(",") if name.strip()]
    return partial(_selected, _checked(kind, identity, names)) if names else default


def _checked(kind: _Kind, identity: str, chosen: Sequence[str]) -> list[str]:
    known = {each.name for each in fields(kind)} | {"number", "reference"}
    if unknown := [name for name in chosen if name.partition(".")[0] not in known]:
        raise typer.BadParameter(
            f"there is no field {unknown[0]!r}.{_meant(unknown[0], known)} Use {', '.join(sorted(known))}",
            param_hint="--columns",
        )
    return [identity, *(name for name in chosen if name != identity)]


def _meant(wrong: str, known: set[str]) -> str:
    head, dot, key = wrong.partition(".")
    if near := nearest(head, sorted(known)):
        return f" Did you mean {near + dot + key!r}?"
    return f" Did you mean 'metrics.{wrong}'?" if "metrics" in known and not dot else ""


def _selected(names: Sequence[str], rows: Sequence[Any]) -> Table:
    table = columns(*(name.upper() for name in names))
    cells = [[_value(row, name) for name in names] for row in rows]
    for name, column in zip(names, zip(*cells, strict=True), strict=True):
        if "." in name and all(value is None for value in column):
            message = f"Nothing in this list has the field {name!r}. Check its spelling."
            warnings.warn(message, UnknownFieldWarning, stacklevel=2)
    for values in cells:
        table.add_row(*(plain(_shown(value)) for value in values))
    return table


def _value(thing: Any, path: str) -> Any:
    if isinstance(thing, Mapping):
        return thing.get(path)  # keys may have dots
    name, dot, rest = path.partition(".")
    found = getattr(thing, name, None)
    return _value(found, rest) if dot else found


def _shown(value: Any) -> str:
    if hasattr(value, "isoformat"):
        return when(value)
    match record.plain(value):
        case None:
            return ""
        case bool() as truth:
            return str(truth).lower()
        case float() as measured:
            return number(measured)
        case dict() as pairs:
            return ", ".join(f"{key}={_shown(each)}" for key, each in pairs.items())
        case list() as items if is_dataclass(value[0] if value else None):
            return ", ".join(str(item.get("name") or item.get("path")) for item in items)
        case list() as items:
            return ", ".join(map(_shown, items))
        case other:
            return str(other)

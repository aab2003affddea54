"""Values as training code has them, as the few types that a registry keeps. No library is imported to recognise its.

The rule, which ``push`` documents: text, whole numbers, floats and booleans keep their types, also as scalars of NumPy,
PyTorch and others. Paths, UUIDs, types and functions become text; an enum becomes its value. Times become ISO 8601, in
UTC if they have a zone; durations become seconds. None, lists, tuples and sets become JSON.
"""

import dataclasses
import json
import operator
from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from pathlib import PurePath
from types import BuiltinFunctionType, FunctionType, SimpleNamespace
from typing import Any, Final
from uuid import UUID

from modelyard.core.facts import Param

_MAX_DEPTH: Final = 32
_MAX_ITEMS: Final = 100_000
_SECRET: Final = "***"  # noqa: S105 - what stands for one
_BY_NAME: Final = frozenset({("torch", "dtype"), ("torch", "device"), ("numpy", "dtype"), ("jax", "Device")})
"""Types, by package and name, whose text says all about them."""


class NotPlainError(ValueError):
    """A value that nothing can be made of. The text completes a sentence that begins with its name."""


def flat(given: Any) -> Iterator[tuple[str, Any]]:
    """The values of a mapping, a dataclass and the like, by name; those of nested ones by ``outer.inner``.

    Raises :class:`NotPlainError` if ``given`` is none of these, if a name is not text, or if it is nested in itself.
    """
    entries = members(given)
    if entries is None:
        raise NotPlainError(f"is {a_kind(given)}; give a mapping of names to values, a dataclass or a namespace")
    yield from _flat("", entries, _MAX_DEPTH)


def _flat(prefix: str, entries: Mapping[Any, Any], depth: int) -> Iterator[tuple[str, Any]]:
    if not depth:
        raise NotPlainError(f"is nested more than {_MAX_DEPTH} levels deep at {ascii(prefix)[:60]}")
    for key, value in entries.items():
        name = f"{prefix}{_name(key)}"
        inner = members(value)
        if inner:  # an empty one is kept as a value, or nothing would tell of it
            yield from _flat(f"{name}.", inner, depth - 1)
        else:
            yield name, value


def _name(key: Any) -> str:
    if isinstance(key, Enum) and not isinstance(key, str):
        key = key.value
    if isinstance(key, str):
        return str.__str__(key)
    if isinstance(key, int) and not isinstance(key, bool):
        return str(key)
    raise NotPlainError(f"has a name that is {a_kind(key)}; give text")


def members(value: Any) -> Mapping[Any, Any] | None:
    """The values that have names in a mapping, a dataclass, a namespace, a model of pydantic or attrs; else None."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, type):
        return None
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return dict(zip(value._fields, value, strict=False))
    names = _field_names(value)
    if names is not None:
        return {name: getattr(value, name) for name in names}
    if isinstance(value, SimpleNamespace) or any(base.__name__ == "Namespace" for base in type(value).__mro__):
        named: dict[str, Any] = vars(value)
        return named
    # A series of pandas has names too; a frame and an array have more than one value for a name, or none.
    if hasattr(value, "keys") and hasattr(value, "__getitem__") and len(getattr(value, "shape", [1])) == 1:
        return {key: value[key] for key in value.keys()}  # noqa: SIM118 - not a mapping: only this is sure
    return None


def _field_names(value: Any) -> Collection[str] | None:
    if dataclasses.is_dataclass(value):
        return [field.name for field in dataclasses.fields(value)]
    made_by = type(value)
    if hasattr(made_by, "__attrs_attrs__"):
        return [attribute.name for attribute in made_by.__attrs_attrs__]
    for fields in ("model_fields", "__fields__"):  # of pydantic, new and old
        declared = getattr(made_by, fields, None)
        if isinstance(declared, Mapping):
            return list(declared)
    return None


def param(value: Any) -> Param:
    """The value as a param. Raises :class:`NotPlainError`."""
    found = plain(value)
    return found if isinstance(found, str | int | float) else to_json(found)


def plain(value: Any, depth: int = _MAX_DEPTH) -> Any:
    """The value as text, a number, a boolean or None, or as lists and mappings of these.

    Raises :class:`NotPlainError`.
    """
    if not depth:
        raise NotPlainError(f"is nested more than {_MAX_DEPTH} levels deep")
    value = scalar(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)  # an enum's text, not its name
    for convert in (_moment, _named, _number):
        found = convert(value)
        if found is not None:
            return found
    if isinstance(value, Enum):
        return plain(value.value, depth - 1)
    entries = members(value)
    if entries is not None:
        return {_name(key): plain(each, depth - 1) for key, each in entries.items()}
    if isinstance(value, Sequence | AbstractSet) and not isinstance(value, bytes | bytearray | memoryview):
        return _items(value, depth)
    raise NotPlainError(f"is {a_kind(value)}; give text, a number, a boolean, a time, a path, or lists and mappings")


def to_json(value: Any) -> str:
    """Raises :class:`NotPlainError` if there is a number that JSON has no form for."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:
        raise NotPlainError("has a number that is not finite") from None


def _number(value: Any) -> int | float | None:
    try:
        return operator.index(value)
    except TypeError:
        pass
    if not hasattr(value, "__float__") or hasattr(value, "shape"):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise NotPlainError(f"is not a number that fits a double: {error}") from None


def _moment(value: Any) -> str | float | None:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return value.isoformat()
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date | time):
        return value.isoformat()
    return value.total_seconds() if isinstance(value, timedelta) else None


def _named(value: Any) -> str | None:
    if isinstance(value, PurePath | UUID | range):
        return str(value)
    if isinstance(value, type | FunctionType | BuiltinFunctionType):
        return f"{value.__module__}.{value.__qualname__}"
    if hasattr(value, "get_secret_value"):
        return _SECRET
    kinds = {(base.__module__.partition(".")[0], base.__name__) for base in type(value).__mro__}
    return None if kinds.isdisjoint(_BY_NAME) else str(value)


def _items(value: Collection[Any], depth: int) -> list[Any]:
    if len(value) > _MAX_ITEMS:
        raise NotPlainError(f"has {len(value)} items; at most {_MAX_ITEMS} are kept. Push it as a file")
    items = [plain(each, depth - 1) for each in value]
    # A set has no order of its own; the same set must always be the same text.
    return sorted(items, key=to_json) if isinstance(value, AbstractSet) else items


def scalar(value: Any) -> Any:
    """A Python scalar for a scalar of any array library; everything else as it is."""
    if getattr(value, "shape", None) != ():
        return value
    item = getattr(value, "item", None)
    return item() if callable(item) else value


def kind(value: Any) -> str:
    return type(value).__name__


def a_kind(value: Any) -> str:
    """The same in a sentence."""
    name = kind(value)
    return f"{'an' if name[0] in 'aeioAEIO' else 'a'} {name}"

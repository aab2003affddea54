"""The rules for values of a request, independent of the state. Each rule yields all violations that it finds.

``field`` is the path of the value in the request, for example `version.labels`.
"""

import math
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any
from uuid import UUID

from modelyard.core.limits import (
    MAX_BLOB_BYTES,
    MAX_FACT_NAME_BYTES,
    MAX_TEXT_BYTES,
    NOT_ON_ONE_LINE,
    RESERVED_LABEL_PREFIX,
)
from modelyard_server.calls.errors import FieldViolation
from modelyard_server.calls.limits import Limits

Violations = Iterator[FieldViolation]


def _utf8(value: str) -> int:
    return len(value.encode("utf-8", "surrogatepass"))


def text(field: str, value: str, *, max_bytes: int = MAX_TEXT_BYTES, one_line: bool = False) -> Violations:
    """Free text must have no NUL, which PostgreSQL can't store. Text of one line must have no control characters."""
    if _utf8(value) > max_bytes:
        yield FieldViolation(field, f"is {_utf8(value)} bytes long; at most {max_bytes} are allowed")
    elif "\x00" in value:
        yield FieldViolation(field, "has a NUL character")
    elif one_line and any(unicodedata.category(c) in NOT_ON_ONE_LINE for c in value):
        yield FieldViolation(field, "has a control or invisible character. Use one line of plain text.")


def at_most(field: str, number: int, most: int) -> Violations:
    """Of the entries of a list or a map."""
    if number > most:
        yield FieldViolation(field, f"has {number} entries; at most {most} are allowed")


def labels(field: str, values: Mapping[str, str], limits: Limits) -> Violations:
    yield from at_most(field, len(values), limits.label_count)
    for key, value in sorted(values.items()):
        at = f"{field}[{key[:40]!a}]"
        if not key:
            yield FieldViolation(field, "has an empty key")
        elif key.startswith(RESERVED_LABEL_PREFIX):
            yield FieldViolation(at, f"keys that begin with {RESERVED_LABEL_PREFIX!r} are reserved")
        yield from text(at, key, max_bytes=limits.label_key_bytes, one_line=True)
        yield from text(at, value, max_bytes=limits.label_value_bytes)


def uuid4(field: str, value: str) -> Violations:
    try:
        parsed = UUID(value)
    except ValueError:
        parsed = None
    # Accept one form in upper or lower case: UUID() also accepts braces, prefixes and any number of hyphens.
    if parsed is None or parsed.version != 4 or str(parsed) != value.lower():
        yield FieldViolation(
            field, f"{value[:60]!r} is not a UUID4. Use one like '8d1ffd9b-5f1e-4b8e-9d1c-0a4a4e3f9f10'."
        )


def parsed(field: str, parse: Callable[[str], object], value: str) -> Violations:
    """Turns the ``ValueError`` of a parser into a violation."""
    try:
        parse(value)
    except ValueError as error:
        yield FieldViolation(field, str(error))


def blob_size(field: str, value: int) -> Violations:
    if not 0 <= value <= MAX_BLOB_BYTES:
        yield FieldViolation(field, f"{value} is not the size of a blob. Use 0 to {MAX_BLOB_BYTES} bytes.")


def named(field: str, value: str) -> Violations:
    if not value:
        yield FieldViolation(field, "is required")
    yield from text(field, value, one_line=True)


def count(field: str, values: Collection[object], limits: Limits) -> Violations:
    yield from at_most(field, len(values), limits.facts_entries)


def entries(
    field: str, values: Mapping[str, Any], limits: Limits, check: Callable[[str, Any], Violations]
) -> Violations:
    yield from count(field, values, limits)
    for key, value in values.items():
        at = f"{field}[{key[:40]!a}]"
        if not key:
            yield FieldViolation(field, "has an empty key")
        yield from text(at, key, max_bytes=MAX_FACT_NAME_BYTES, one_line=True)
        yield from check(at, value)


def finite(field: str, value: float) -> Violations:
    if not math.isfinite(value):
        yield FieldViolation(field, f"{value} is not a finite number")

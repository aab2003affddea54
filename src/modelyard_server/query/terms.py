"""The terms of a filter: comparisons whose values were checked against the types of the fields.

One rule holds for all operators: if a resource lacks the field, the comparison is false, and its NOT is true.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Final

from modelyard.core.names import VersionName
from modelyard.core.references import Reference, Selector
from modelyard.core.suggestions import did_you_mean, nearest
from modelyard.core.times import check_past, is_duration, parse_time
from modelyard_server.query import syntax
from modelyard_server.query.syntax import Comparison, Expression, FilterError, Literal, Operator


class Kind(Enum):
    """The type of a field."""

    TEXT = "text"
    TEXTS = "several texts"
    NUMBER = "a number"
    VALUE = "text or a number"
    TIME = "a time"
    VERSIONS = "several versions"


@dataclass(frozen=True, slots=True)
class OneOf:
    """The type of a field with a fixed set of values."""

    values: tuple[str, ...]


FieldType = Kind | OneOf


@dataclass(frozen=True, slots=True)
class Text:
    """Text, compared by code points. ``pieces`` is the text between wildcards, which only ``=`` and ``!=`` allow."""

    field: str
    operator: Operator
    pieces: tuple[str, ...]

    @property
    def exact(self) -> str | None:
        """The text without wildcards; None if there are wildcards."""
        return self.pieces[0] if len(self.pieces) == 1 else None


@dataclass(frozen=True, slots=True)
class Contains:
    """A text that contains another, case-sensitive."""

    field: str
    part: str


@dataclass(frozen=True, slots=True)
class Number:
    """A number. Numbers are compared as doubles, so integers beyond 2^53 are rounded."""

    field: str
    operator: Operator
    value: float


@dataclass(frozen=True, slots=True)
class Moment:
    field: str
    operator: Operator
    value: datetime


@dataclass(frozen=True, slots=True)
class Present:
    """The field has a value."""

    field: str


@dataclass(frozen=True, slots=True)
class Negation:
    term: "Term"


@dataclass(frozen=True, slots=True)
class All:
    terms: tuple["Term", ...]


@dataclass(frozen=True, slots=True)
class Any:
    terms: tuple["Term", ...]


Term = Text | Contains | Number | Moment | Present | Negation | All | Any


def leaves(term: Term | None) -> Iterator[Text | Contains | Number | Moment | Present]:
    """The comparisons of a filter."""
    match term:
        case None:
            return
        case Negation(inner):
            yield from leaves(inner)
        case All(inner) | Any(inner):
            for each in inner:
                yield from leaves(each)
        case _:
            yield term


# Maps are in it as ``name.*``, and accept any key.
Fields = Mapping[str, FieldType]


def parse(text: str, fields: Fields, now: datetime) -> Term | None:
    """Parses and checks a filter; None for an empty one. Relative times count from ``now``.

    Raises :class:`~modelyard_server.query.syntax.FilterError`.
    """
    expression = syntax.parse(text)
    return None if expression is None else _Checker(text, fields, now).term(expression)


def field_of(path: tuple[str, ...], fields: Fields) -> tuple[str, FieldType] | None:
    """The full name and the type of the field at a path; None if there is none. Keys of maps may have dots."""
    name = ".".join(path)
    if name in fields and not name.endswith(".*"):
        return name, fields[name]
    kind = fields.get(f"{path[0]}.*")
    return (name, kind) if kind is not None and len(path) > 1 else None


def meant_field(path: tuple[str, ...], fields: Fields, *, ordered: bool = True) -> str:
    """A sentence about the field that a wrong path was probably meant to be, with a space before it; else empty.

    ``ordered``: it was used as a number is, which may be the key of a map of numbers.
    """
    maps = [name.removesuffix(".*") for name in fields if name.endswith(".*")]
    head, *key = path
    if key:
        near = nearest(head, maps)
        return "" if near is None else f" Did you mean {'.'.join((near, *key))!r}?"
    if meant := did_you_mean(head, [name for name in fields if not name.endswith(".*")]):
        return meant
    numbers = [name for name in maps if fields[f"{name}.*"] is Kind.NUMBER]
    return f" Did you mean '{numbers[0]}.{head}'?" if numbers and ordered else ""


@dataclass(frozen=True, slots=True)
class _Checker:
    text: str
    fields: Fields
    now: datetime

    def term(self, expression: Expression) -> Term:
        match expression:
            case syntax.Not(term):
                return Negation(self.term(term))
            case syntax.And(terms):
                return All(tuple(map(self.term, terms)))
            case syntax.Or(terms):
                return Any(tuple(map(self.term, terms)))
            case Comparison():
                return self._comparison(expression)

    def _comparison(self, comparison: Comparison) -> Term:
        path, value = comparison.path, comparison.value
        if len(path) == 1 and f"{path[0]}.*" in self.fields and comparison.operator is Operator.HAS:
            if len(value.pieces) > 1 or not value.text:
                raise self._error(value, f"expected a key here, for example {path[0]}:team")
            return Present(f"{path[0]}.{value.text}")
        found = field_of(path, self.fields)
        if found is None:
            known = ", ".join(self.fields)
            ordered = comparison.operator not in {Operator.EQUAL, Operator.NOT_EQUAL, Operator.HAS}
            meant = meant_field(path, self.fields, ordered=ordered)
            told = f"there is no field {'.'.join(path)!r}.{meant} Use one of {known}"
            raise FilterError(self.text, comparison.at, told)
        name, kind = found
        if comparison.operator is Operator.HAS and value.text == "*" and not value.quoted:
            return Present(name)
        return (
            self._one_of(name, comparison, kind) if isinstance(kind, OneOf) else _CHECKS[kind](self, name, comparison)
        )

    def _error(self, value: Literal, why: str) -> FilterError:
        return FilterError(self.text, value.at, why)

    def _text(self, name: str, comparison: Comparison) -> Term:
        value = comparison.value
        if value.pieces == ("",):
            raise self._error(
                value, f"an empty text means no value. Use NOT {name}:* to find resources without a value"
            )
        operator = comparison.operator
        if operator is Operator.HAS:
            if "." in name:
                advice = f'Use {name} = {value.text}, or wildcards: {name} = "*{value.text}*"'
                raise self._error(value, f"{name} is compared as a whole, and ':' finds a part of a text. {advice}")
            if len(value.pieces) > 1:
                raise self._error(value, "':' finds a part of the text and allows no wildcards. Use = with wildcards")
            return Contains(name, value.text)
        if len(value.pieces) > 1 and operator not in {Operator.EQUAL, Operator.NOT_EQUAL}:
            raise self._error(value, f"{operator.value} allows no wildcards. Use = or != with wildcards")
        return Text(name, operator, value.pieces)

    def _texts(self, name: str, comparison: Comparison) -> Term:
        if comparison.operator not in {Operator.HAS, Operator.EQUAL}:
            example = f"NOT {name} = {comparison.value.text!r}"
            raise self._error(comparison.value, f"{name} has several values. Use = or : with one of them, or {example}")
        pieces = comparison.value.pieces
        if pieces == ("",):
            raise self._error(comparison.value, f"use NOT {name}:* to find resources without a value")
        return Text(name, Operator.EQUAL, pieces)

    def _versions(self, name: str, comparison: Comparison) -> Term:
        value = replace(comparison.value, pieces=_canonical_version(comparison.value.pieces))
        return self._texts(name, replace(comparison, value=value))

    def _number(self, name: str, comparison: Comparison) -> Term:
        number = _number(comparison.value)
        if number is None:
            raise self._error(comparison.value, f"{name} is a number, but {comparison.value.text!r} is not")
        if comparison.operator is Operator.HAS:
            raise self._error(comparison.value, f"':' finds a part of a text, and {number:g} is a number. Use =")
        return Number(name, comparison.operator, number)

    def _value(self, name: str, comparison: Comparison) -> Term:
        numeric = not comparison.value.quoted and _number(comparison.value) is not None
        return self._number(name, comparison) if numeric else self._text(name, comparison)

    def _time(self, name: str, comparison: Comparison) -> Term:
        if comparison.operator is Operator.HAS:
            raise self._error(comparison.value, f"{name} is a time; compare it with =, <, <=, > or >=")
        if is_duration(comparison.value.text):
            raise self._error(comparison.value, _about_duration(name, comparison))
        try:
            moment = parse_time(comparison.value.text, self.now)
            if comparison.operator in _SINCE:
                check_past(moment, self.now)
        except ValueError as error:
            raise self._error(comparison.value, f"{name} is a time. {error}") from None
        return Moment(name, comparison.operator, moment)

    def _one_of(self, name: str, comparison: Comparison, known: OneOf) -> Term:
        if comparison.value.text not in known.values or comparison.operator not in _ONE_OF_OPERATORS:
            raise self._error(comparison.value, f"{name} is one of {', '.join(known.values)}; compare it with = or !=")
        return Text(name, comparison.operator, comparison.value.pieces)


_ONE_OF_OPERATORS: Final = frozenset({Operator.EQUAL, Operator.NOT_EQUAL})
_SINCE: Final = frozenset({Operator.EQUAL, Operator.GREATER, Operator.GREATER_EQUAL})
"""Nothing has happened in the future. The end of a range may lie there."""
_CHECKS: Final[Mapping[Kind, Callable[[_Checker, str, Comparison], Term]]] = {
    Kind.TEXT: _Checker._text,  # noqa: SLF001 (its own table)
    Kind.TEXTS: _Checker._texts,  # noqa: SLF001
    Kind.NUMBER: _Checker._number,  # noqa: SLF001
    Kind.VALUE: _Checker._value,  # noqa: SLF001
    Kind.TIME: _Checker._time,  # noqa: SLF001
    Kind.VERSIONS: _Checker._versions,  # noqa: SLF001
}


def _about_duration(name: str, comparison: Comparison) -> str:
    duration = comparison.value.text
    right = f"{name} {comparison.operator.value} now-{duration.replace(' ', '')}"
    return (
        f"{name} is a time, and {duration!r} is a duration. Use {right} to compare with the time {duration} ago; > is"
        " later, < is earlier"
    )


def _number(value: Literal) -> float | None:
    try:
        number = float(value.text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _canonical_version(pieces: tuple[str, ...]) -> tuple[str, ...]:
    """Converts ``team/fraud@7`` to the name of the version, as stored for parents."""
    try:
        reference = Reference.parse(pieces[0])
    except ValueError:
        return pieces
    if len(pieces) > 1 or reference.selector is not Selector.NUMBER:
        return pieces
    return (str(VersionName(reference.model, int(reference.value))),)

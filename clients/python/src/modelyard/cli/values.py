"""``NAME=VALUE`` as people type it."""

import math
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final, TypeVar

import typer

from modelyard.core import times
from modelyard.core.facts import Direction, Param, Parent, Relation, Run
from modelyard.core.limits import INT64

_INTEGER: Final = re.compile(r"[+-]?(?:0|[1-9][0-9]*)")
_FLOAT: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_TRUTH: Final = {"true": True, "false": False}

_T = TypeVar("_T")


def pairs(given: Iterable[str], option: str, read: Callable[[str], _T]) -> dict[str, _T]:
    """What was given with a repeated option, by name. A name given twice is wrong: one of them would be lost."""
    found: dict[str, _T] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise typer.BadParameter(f"{text!r} is not of the form NAME=VALUE", param_hint=option)
        if name in found:
            raise typer.BadParameter(f"{name!r} is given twice", param_hint=option)
        try:
            found[name] = read(value)
        except ValueError as error:
            raise typer.BadParameter(f"{text!r}: {error}", param_hint=option) from None
    return found


def param(text: str) -> Param:
    """A typed parameter: ``3`` an integer, ``1e-3`` a float, ``true`` a truth value, anything else and ``'3'`` text.

    Raises ``ValueError`` for a number that the registry has no room for.
    """
    if len(text) >= len("''") and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    if text.lower() in _TRUTH:
        return _TRUTH[text.lower()]
    if _INTEGER.fullmatch(text):
        return _integer(text)
    # Leading zeros are an id's, as in 007; those of 00.5 are not worth a rule.
    if _FLOAT.fullmatch(text) and not text.isdigit():
        value = float(text)
        if math.isinf(value):
            raise ValueError("the number does not fit into a double; put it in quotes to keep it as text")
        return value
    return text


def metric(text: str) -> float:
    """A number, also NaN and infinities. Raises ``ValueError`` for anything else."""
    try:
        return float(text)
    except ValueError:
        raise ValueError("a number is needed") from None


def past(option: str, text: str, *, end: bool = False) -> datetime:
    """A time of an option, not in the future. ``end``: if it is given to the second, the end of that second."""
    now = datetime.now(UTC)
    try:
        moment = (times.parse_end_of if end else times.parse_time)(text, now)
        times.check_past(moment, now)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None
    return moment


def direction(text: str) -> Direction:
    """``higher`` or ``lower``. Raises ``ValueError`` for anything else."""
    try:
        return Direction(f"{text.upper()}_IS_BETTER")
    except ValueError:
        raise ValueError("use higher or lower") from None


def slices(given: Iterable[str], option: str) -> dict[str, dict[str, float]]:
    """Metrics of parts of the data, by the part: ``eu:auc=0.88``."""
    found: dict[str, list[str]] = {}
    for text in given:
        part, colon, measured = text.partition(":")
        if not part or not colon:
            raise typer.BadParameter(f"{text!r} is not of the form PART:NAME=NUMBER", param_hint=option)
        found.setdefault(part, []).append(measured)
    return {part: pairs(metrics, option, metric) for part, metrics in found.items()}


def parents(given: Iterable[str], option: str) -> list[Parent]:
    """Versions that another was made from: ``team/base@3``, or ``quantized_from=team/base@3``."""
    found = []
    for text in given:
        relation, equals, version = text.rpartition("=")
        try:
            found.append(Parent(version=version, relation=Relation[(relation if equals else "derived_from").upper()]))
        except KeyError:
            known = ", ".join(each.value.lower() for each in Relation)
            raise typer.BadParameter(f"{relation!r} is not a relation. Use {known}", param_hint=option) from None
    return found


def run(text: str) -> Run:
    """A training run: ``mlflow:8c1f…``, or its id alone."""
    tracker, colon, identity = text.partition(":")
    return Run(tracker=tracker, id=identity) if colon and tracker.isalnum() else Run(id=text)


def _integer(text: str) -> int:
    # Python refuses to read thousands of digits; none of them fit anyway.
    value = int(text) if len(text) <= len(str(INT64.start)) else INT64.stop
    if value not in INT64:
        raise ValueError("the integer does not fit into 64 bits; put it in quotes to keep it as text")
    return value

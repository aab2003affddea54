"""Metrics and their directions, as a push and an evaluation take them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelyard._client.checking import Check, entry
from modelyard._client.plain import a_kind, scalar
from modelyard.core.facts import Direction


@dataclass(frozen=True, slots=True)
class Measured:
    """Finite numbers by their names, and which way some of them are better."""

    metrics: Mapping[str, float]
    directions: Mapping[str, Direction]


def read(
    check: Check,
    metrics: Any,
    directions: Mapping[str, Direction] | None,
    *,
    drop_nonfinite: bool,
) -> Measured:
    """The metrics with flat names, and the directions of those that are kept."""
    given = check.flattened("metrics", metrics)
    kept = _numbers(check, "metrics", given, drop_nonfinite=drop_nonfinite)
    ways: dict[str, Direction] = {}
    for name, direction in check.flattened("directions", directions).items():
        if name not in given:
            known = f"one of {', '.join(sorted(given)[:10])}" if given else "a metric that is given here"
            check.refuse(entry("directions", name), f"is not the name of a metric. Use {known}")
        elif check.instance(entry("directions", name), direction, Direction) and name in kept:
            ways[name] = direction
    return Measured(kept, ways)


def numbers(check: Check, field: str, given: Any, *, drop_nonfinite: bool) -> dict[str, float]:
    """Finite numbers by flat names."""
    return _numbers(check, field, check.flattened(field, given), drop_nonfinite=drop_nonfinite)


def _numbers(check: Check, field: str, given: Mapping[str, Any], *, drop_nonfinite: bool) -> dict[str, float]:
    kept: dict[str, float] = {}
    for name, value in given.items():
        at = entry(field, name)
        number = _number(check, at, value)
        if drop_nonfinite and not math.isfinite(number):
            check.notes.append(f"{at} is {number} and is left out.")
        else:
            kept[name] = check.finite(at, number, instead="Leave it out, or give drop_nonfinite=True")
    return kept


def _number(check: Check, field: str, value: Any) -> float:
    value = scalar(value)
    if isinstance(value, bool | str) or not hasattr(value, "__float__") or hasattr(value, "shape"):
        check.refuse(field, f"is {a_kind(value)}; give one number")
        return 0.0
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        check.refuse(field, f"is not a number that fits a double: {error}")
        return 0.0

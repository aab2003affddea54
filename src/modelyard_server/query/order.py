"""By what a list is sorted."""

from dataclasses import dataclass
from typing import Final

from modelyard_server.query.terms import VERSION_FIELDS, Kind, field_of

MODEL_ORDERS: Final = frozenset({"id", "create_time", "update_time"})
VERSION_ORDERS: Final = frozenset({"number", "create_time"})


@dataclass(frozen=True, slots=True)
class Order:
    """One field, and which end of it comes first. What lacks the field comes last, either way."""

    field: str
    descending: bool = False


def parse_model_order(text: str) -> Order | None:
    """``id`` or ``create_time desc``; None for no text. ``ValueError`` says what is wrong."""
    return _parse(text, sorted(MODEL_ORDERS))


def parse_event_order(text: str) -> Order | None:
    """``revision`` or ``revision desc``; None for no text."""
    return _parse(text, ["revision"])


def parse_version_order(text: str) -> Order | None:
    """``number``, ``create_time``, or a metric or param as ``metrics.auc desc``; None for no text."""
    return _parse(text, [*sorted(VERSION_ORDERS), "metrics.*", "params.*", "evaluations.*"])


def _parse(text: str, known: list[str]) -> Order | None:
    if not text.strip():
        return None
    if "," in text:
        raise ValueError(f"{text!r} has several fields; lists are sorted by one, those alike in it by age")
    field, _, direction = text.strip().rpartition(" ") if text.strip().endswith((" asc", " desc")) else (text, "", "")
    field = field.strip()
    if field not in known and not _is_number_of_map(field, known):
        raise ValueError(f"lists are not sorted by {field!r}; there are {', '.join(known)}, each with asc or desc")
    return Order(field, direction == "desc")


def _is_number_of_map(field: str, known: list[str]) -> bool:
    path = tuple(field.split("."))
    if f"{path[0]}.*" not in known:
        return False
    found = field_of(path, VERSION_FIELDS)
    return found is not None and found[1] in {Kind.NUMBER, Kind.VALUE} and bool(path[1])

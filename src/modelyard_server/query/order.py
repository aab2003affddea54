"""By what a list is sorted."""

from dataclasses import dataclass

from modelyard_server.query.terms import Fields, Kind, field_of


@dataclass(frozen=True, slots=True)
class Order:
    """One field, and which end of it comes first. What lacks the field comes last, either way."""

    field: str
    descending: bool = False


def parse_order(text: str, known: list[str], fields: Fields) -> Order | None:
    """``id`` or ``create_time desc``; None for no text. ``ValueError`` says what is wrong.

    ``known`` are the names that a list is sorted by; ``metrics.*`` stands for the numbers of a map among ``fields``.
    """
    if not text.strip():
        return None
    if "," in text:
        raise ValueError(f"{text!r} has several fields; lists are sorted by one, those alike in it by age")
    field, _, direction = text.strip().rpartition(" ") if text.strip().endswith((" asc", " desc")) else (text, "", "")
    field = field.strip()
    if field not in known and not _is_number_of_map(field, known, fields):
        raise ValueError(f"lists are not sorted by {field!r}; there are {', '.join(known)}, each with asc or desc")
    return Order(field, direction == "desc")


def _is_number_of_map(field: str, known: list[str], fields: Fields) -> bool:
    path = tuple(field.split("."))
    if f"{path[0]}.*" not in known:
        return False
    found = field_of(path, fields)
    return found is not None and found[1] in {Kind.NUMBER, Kind.VALUE} and bool(path[1])

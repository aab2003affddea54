"""Sort orders of lists."""

from dataclasses import dataclass

from modelyard_server.query.terms import Fields, Kind, field_of


@dataclass(frozen=True, slots=True)
class Order:
    """One field and a direction. Rows without the field come last in both directions."""

    field: str
    descending: bool = False


def parse_order(text: str, known: list[str], fields: Fields) -> Order | None:
    """Parses ``id`` or ``create_time desc``. None for an empty text. Raises ``ValueError`` with a message for the user.

    ``known`` are the fields that a list can be sorted by. ``metrics.*`` allows the numbers of a map in ``fields``.
    """
    if not text.strip():
        return None
    if "," in text:
        raise ValueError(f"{text!r} has several fields. Sort by one field; equal rows are sorted by age.")
    field, _, direction = text.strip().rpartition(" ") if text.strip().endswith((" asc", " desc")) else (text, "", "")
    field = field.strip()
    if field not in known and not _is_number_of_map(field, known, fields):
        raise ValueError(f"can't sort by {field!r}. Use {', '.join(known)}, each with asc or desc.")
    return Order(field, direction == "desc")


def _is_number_of_map(field: str, known: list[str], fields: Fields) -> bool:
    path = tuple(field.split("."))
    if f"{path[0]}.*" not in known:
        return False
    found = field_of(path, fields)
    return found is not None and found[1] in {Kind.NUMBER, Kind.VALUE} and bool(path[1])

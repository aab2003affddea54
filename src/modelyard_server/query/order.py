"""Sort orders of lists."""

from dataclasses import dataclass
from typing import Final

from modelyard_server.query.syntax import FilterError, parse_field
from modelyard_server.query.terms import Fields, Kind, field_of, meant_field

_DESCENDING: Final = {"": False, "asc": False, "desc": True}


@dataclass(frozen=True, slots=True)
class Order:
    """One field and a direction. Rows without the field come last in both directions."""

    field: str
    descending: bool = False


def parse_order(text: str, known: list[str], fields: Fields) -> Order | None:
    """Parses ``id`` or ``create_time desc``. None for an empty text. Raises ``ValueError`` with a message for the user.

    The direction may be in any case. ``known`` are the fields that a list can be sorted by. ``metrics.*`` allows the
    numbers of a map in ``fields``. A key with spaces needs quotes, as in a filter.
    """
    if not text.strip():
        return None
    if (field := text.strip()).startswith("-"):
        raise ValueError(f"{field!r} begins with '-'. Write {field[1:].strip() + ' desc'!r} for the largest first.")
    try:
        path, rest = parse_field(text)
    except FilterError as error:
        raise ValueError(f"can't sort by {text.strip()!r}: {error}") from None
    if "," in rest:
        raise ValueError(f"{text!r} has several fields. Sort by one field; equal rows are sorted by age.")
    if rest.lower() not in _DESCENDING:
        example = f'{".".join((*path[:1], ""))}"val loss" desc' if len(path) > 1 else f"{path[0]} desc"
        raise ValueError(
            f"{rest!r} is not a direction. Use asc or desc, and put a name with spaces in quotes: {example}"
        )
    field = ".".join(path)
    if field not in known and not _is_number_of_map(path, known, fields):
        meant = meant_field(path, {name: kind for name, kind in fields.items() if name in known})
        raise ValueError(f"can't sort by {field!r}.{meant} Use {', '.join(known)}, each with asc or desc.")
    return Order(field, _DESCENDING[rest.lower()])


def _is_number_of_map(path: tuple[str, ...], known: list[str], fields: Fields) -> bool:
    if f"{path[0]}.*" not in known:
        return False
    found = field_of(path, fields)
    return found is not None and found[1] in {Kind.NUMBER, Kind.VALUE}

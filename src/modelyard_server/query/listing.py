"""Lists with a filter, a sort order and pages."""

from dataclasses import dataclass
from typing import NamedTuple

from modelyard_server.query.order import Order
from modelyard_server.query.terms import Term


class Position(NamedTuple):
    """The position at which a page ends."""

    value: str | int | float | None
    """The last row's value in the sort field; None if it has no value."""
    key: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The filter, the sort order and the start of a page."""

    where: Term | None = None
    order: Order | None = None
    """None for the default order of the list."""
    after: Position | None = None
    size: int
    room: int
    """Bytes after which a page ends early."""
    show_deleted: bool = False

"""Lists that are searched, sorted and read page by page."""

from dataclasses import dataclass
from typing import NamedTuple

from modelyard_server.query.order import Order
from modelyard_server.query.terms import Term


class Position(NamedTuple):
    """Where a page ends."""

    value: str | int | float | None
    """Of the last row, in the field that is sorted by; None if it has none."""
    key: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Which rows of a list a caller wants, and where the page begins."""

    where: Term | None = None
    order: Order | None = None
    """None for the list's own."""
    after: Position | None = None
    size: int
    room: int
    """Bytes after which a page ends early."""
    show_deleted: bool = False

"""What a list is asked for, and a page of its answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, NamedTuple, TypeVar

from modelyard_server.calls.page_tokens import Cursor
from modelyard_server.query.order import Order
from modelyard_server.query.terms import Term

T = TypeVar("T")


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


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows of a list, in its order."""

    items: Sequence[T]
    cursors: Sequence[Cursor]
    """For each item, the position at which the list continues after it."""
    more: bool
    """Whether the list has more rows."""
    unknown_fields: tuple[str, ...] = ()
    """See :func:`modelyard_server.query.pages.unknown_fields`."""
    bytes: int = 0
    """Size of the rows in the database, roughly; 0 if all rows of the list are small."""

    @classmethod
    def of(cls, found: Sequence[T], size: int, cursor: Callable[[T], Cursor]) -> "Page[T]":
        """A page of at most ``size`` of the ``found`` rows, of which there are up to ``size + 1``."""
        shown = found[:size]
        return cls(shown, [cursor(each) for each in shown], len(found) > size)

    def cut(self, items: Sequence[T]) -> "Page[T]":
        """The page cut to the first ``len(items)`` items, which are replaced by ``items``."""
        count = len(items)
        return replace(self, items=items, cursors=self.cursors[:count], more=self.more or count < len(self.items))

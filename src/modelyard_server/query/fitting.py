"""Which rows of a page fit, found before any of them is read: a row may have megabytes, and be one of a thousand.

A page is full by count or by bytes. Bytes are those of the rows, since messages are made later: they need be right
within a factor of two or so, and ``Lists.answer`` cuts the page again by its messages.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, NamedTuple, TypeVar

from modelyard_server.calls.page_tokens import Cursor
from modelyard_server.query.listing import Page

T = TypeVar("T")

_FIRST: Final = 16
"""Rows that are weighed before anything is known of their size. The database may have to read them for that."""
_MOST: Final = 128
"""Rows that are weighed at once, however light those before were."""
_GROWTH: Final = 4
"""How many times as many rows are weighed next."""


class Fit:
    """The rows that fit into ``room`` bytes, from the first on; one always does."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._next = _FIRST
        self.count = 0
        self.bytes = 0
        self.full = False
        """A row did not fit."""

    def next(self) -> int:
        """How many rows to weigh next."""
        wanted, self._next = self._next, min(self._next * _GROWTH, _MOST)
        return wanted

    def add(self, weights: Iterable[int]) -> None:
        """Takes in rows until one does not fit."""
        for weight in weights:
            if self.count and self.bytes + weight > self._room:
                self.full = True
                return
            self.count += 1
            self.bytes += weight


class Weighed(NamedTuple):
    """A row that has not been read."""

    cursor: Cursor
    weight: int
    """Bytes."""


async def read_page(
    weigh: Callable[[Cursor | None, int], Awaitable[Sequence[Weighed]]],
    read: Callable[[Sequence[Cursor]], Awaitable[Sequence[T]]],
    *,
    after: Cursor | None,
    size: int,
    room: int,
) -> Page[T]:
    """A page of at most ``size`` rows and ``room`` bytes, though not of less than one row.

    ``weigh`` answers the next rows behind a cursor, at most so many; ``read`` the rows at cursors, in their order.
    """
    fit = Fit(room)
    cursors: list[Cursor] = []
    more = True
    while more and not fit.full and fit.count <= size:
        limit = min(fit.next(), size + 1 - fit.count)
        weighed = await weigh(cursors[-1] if cursors else after, limit)
        more = len(weighed) == limit
        fit.add(each.weight for each in weighed)
        cursors += [each.cursor for each in weighed]
    shown = cursors[: min(fit.count, size)]
    items = await read(shown) if shown else ()
    return Page(items, shown, more=len(cursors) > len(shown), bytes=fit.bytes)

"""Rows of a page, read in small steps: a thousand rows of a megabyte each must not be in memory at once.

A page is full by count or by bytes. Bytes are reckoned from the rows, since messages are made later: they need be right
within a factor of two or so, and ``Lists.answer`` cuts the page again by its messages.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from modelyard_server.calls.page_tokens import Cursor
from modelyard_server.query.listing import Page

T = TypeVar("T")

_FIRST: Final = 16
"""Rows that are read before anything is known of their size. The largest take 4 MiB each."""
_MOST: Final = 128
"""Rows of one step, however small those before were: the next may be large."""
_GROWTH: Final = 4
"""How much longer a step may be than the one before."""


class Steps:
    """How many rows to read next. Reading ends once ``room`` bytes have come in."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._count = 0
        self._bytes = 0
        self._last = 0

    @property
    def full(self) -> bool:
        return self._bytes >= self._room

    def next(self) -> int:
        """Rows that about fit, by the size of those that came before; at least one."""
        if not self._count:
            self._last = _FIRST
        else:
            fitting = (self._room - self._bytes) * self._count // max(self._bytes, 1) + 1
            self._last = max(1, min(fitting, self._last * _GROWTH, _MOST))
        return self._last

    def add(self, size: int) -> None:
        """Counts a row of ``size`` bytes."""
        self._count += 1
        self._bytes += size


def weight(value: Any) -> int:
    """About the bytes that a value takes: text and what is nested, not the rest."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, Mapping):
        return sum(len(key) + 8 + weight(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return sum(map(weight, value))
    return 8


async def read_page(
    read: Callable[[Cursor | None, int], Awaitable[Sequence[T]]],
    *,
    after: Cursor | None,
    size: int,
    room: int,
    cursor: Callable[[T], Cursor],
    weigh: Callable[[T], int],
) -> Page[T]:
    """A page of at most ``size`` rows and about ``room`` bytes, though not of less than one row.

    ``read`` answers the next rows behind a cursor, at most so many.
    """
    found: list[T] = []
    steps = Steps(room)
    while not steps.full:
        limit = min(steps.next(), size + 1 - len(found))
        rows = await read(after, limit)
        for row in rows:
            steps.add(weigh(row))
        found += rows
        if len(rows) < limit or len(found) > size:
            return Page.of(found, size, cursor)
        after = cursor(found[-1])
    # Perhaps nothing follows: then the next page is empty, and the last.
    return Page(found, [cursor(each) for each in found], more=True)

"""Rows of a page are weighed before they are read: memory does not follow the number of rows that it may have."""

from collections.abc import Sequence

import pytest

from modelyard_server.calls.page_tokens import Cursor
from modelyard_server.query.fitting import Weighed, read_page
from modelyard_server.query.listing import Page

MIB = 1 << 20
ROOM = 2 * MIB


class Table:
    """Rows numbered from 0, each with its size. Counts what is weighed and what is read of them."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self.sizes = sizes
        self.weighed: list[int] = []
        self.read: list[int] = []

    async def weigh(self, after: Cursor | None, limit: int) -> list[Weighed]:
        assert limit > 0
        first = 0 if after is None else int(after) + 1  # type: ignore[arg-type]  # ours is a number
        found = range(first, min(first + limit, len(self.sizes)))
        self.weighed.append(len(found))
        return [Weighed(row, self.sizes[row]) for row in found]

    async def rows(self, cursors: Sequence[Cursor]) -> list[Cursor]:
        self.read += [self.sizes[int(row)] for row in cursors]  # type: ignore[arg-type]  # ours is a number
        return list(cursors)

    async def page(self, after: Cursor | None, size: int) -> Page[Cursor]:
        return await read_page(self.weigh, self.rows, after=after, size=size, room=ROOM)


async def test_only_rows_that_fit_are_read() -> None:
    table = Table([MIB] * 1000)

    page = await table.page(None, 1000)

    assert page.more
    assert len(page.items) == len(table.read) == 2
    assert sum(table.weighed) == 16


async def test_small_rows_take_few_steps() -> None:
    table = Table([200] * 1000)

    page = await table.page(None, 1000)

    assert (len(page.items), page.more) == (1000, False)
    assert len(table.weighed) <= 10


async def test_large_rows_behind_small_ones_are_not_read() -> None:
    table = Table([1] * 100 + [4 * MIB] * 900)

    page = await table.page(None, 1000)

    assert table.read == [1] * 100
    assert page.more


async def test_a_row_larger_than_a_page_is_a_page() -> None:
    table = Table([4 * MIB] * 3)

    first, last = await table.page(None, 1000), await table.page(1, 1000)

    assert (first.items, first.more) == ([0], True)
    assert (last.items, last.more) == ([2], False)


@pytest.mark.parametrize("sizes", [[1] * 50, [MIB] * 50, [0] * 50, [5 * MIB, 1] * 25, []])
@pytest.mark.parametrize("size", [1, 7, 50, 1000])
async def test_pages_join_to_the_whole(sizes: list[int], size: int) -> None:
    table, after = Table(sizes), None
    found: list[Cursor] = []
    while True:
        page = await table.page(after, size)
        assert len(page.items) <= size
        found += page.items
        if not page.more:
            break
        after = page.cursors[-1]

    assert found == list(range(len(sizes)))

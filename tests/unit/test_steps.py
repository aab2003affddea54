"""Pages are read in steps that fit: memory does not follow the number of rows that a page may have."""

from collections.abc import Sequence

import pytest

from modelyard_server.calls.page_tokens import Cursor
from modelyard_server.query.listing import Page
from modelyard_server.query.steps import Steps, read_page, weight

MIB = 1 << 20
ROOM = 2 * MIB


class Table:
    """Rows numbered from 0, each with its size. Counts what is read of them."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self.sizes = sizes
        self.read: list[int] = []

    async def rows(self, after: Cursor | None, limit: int) -> list[int]:
        assert limit > 0
        first = 0 if after is None else int(after) + 1  # type: ignore[arg-type]  # ours is a number
        found = list(range(first, min(first + limit, len(self.sizes))))
        self.read.append(len(found))
        return found

    async def page(self, after: Cursor | None, size: int) -> Page[int]:
        return await read_page(
            self.rows, after=after, size=size, room=ROOM, cursor=lambda row: row, weigh=self.sizes.__getitem__
        )


async def test_a_thousand_large_rows_are_not_read_at_once() -> None:
    table = Table([MIB] * 1000)

    page = await table.page(None, 1000)

    assert page.more
    assert len(page.items) == sum(table.read) == 16


async def test_small_rows_take_few_steps() -> None:
    table = Table([200] * 1000)

    page = await table.page(None, 1000)

    assert (len(page.items), page.more) == (1000, False)
    assert len(table.read) <= 10


async def test_large_rows_behind_small_ones_end_the_page_soon() -> None:
    table = Table([1] * 16 + [4 * MIB] * 984)

    await table.page(None, 1000)

    assert sum(table.read) <= 16 + 64


@pytest.mark.parametrize("sizes", [[1] * 50, [MIB] * 50, [0] * 50, [5 * MIB, 1] * 25, []])
@pytest.mark.parametrize("size", [1, 7, 50, 1000])
async def test_pages_join_to_the_whole(sizes: list[int], size: int) -> None:
    table, after = Table(sizes), None
    found: list[int] = []
    while True:
        page = await table.page(after, size)
        assert len(page.items) <= size
        found += page.items
        if not page.more:
            break
        after = page.cursors[-1]

    assert found == list(range(len(sizes)))


def test_steps_follow_the_size_of_rows() -> None:
    steps = Steps(ROOM)
    counts = []
    while not steps.full:
        counts.append(steps.next())
        for _ in range(counts[-1]):
            steps.add(10 << 10)

    assert counts[0] == 16
    assert sum(counts) * (10 << 10) < 2 * ROOM


def test_weight_counts_text_in_all_that_is_nested() -> None:
    assert weight({"params": {"k": "v" * 1000}, "list": ["w" * 1000, 7, None]}) in range(2000, 2100)
    assert weight("x" * MIB) == MIB

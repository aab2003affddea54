"""Lists: fetched page by page, as far as they are read."""

from collections.abc import AsyncIterator
from itertools import islice

import pytest
from tests.support.server import ServerProcess

from modelyard import AsyncClient, Client, InvalidArgumentError, UnavailableError
from modelyard._paging import AsyncPager, Pager


class Pages:
    """Three pages of numbers, the second of them empty; notes what was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.fails = False

    async def fetch(self, token: str) -> tuple[tuple[int, ...], str]:
        self.asked.append(token)
        if self.fails:
            raise UnavailableError("made by a test")
        return {"": ((1, 2), "a"), "a": ((), "b"), "b": ((3,), "")}[token]


async def collected(items: AsyncIterator[int]) -> list[int]:
    return [item async for item in items]


async def test_items_come_in_order_and_every_loop_starts_again() -> None:
    pages = Pages()
    pager = AsyncPager(pages.fetch)

    assert await collected(aiter(pager)) == await collected(aiter(pager)) == [1, 2, 3]
    assert pages.asked == ["", "a", "b"] * 2


async def test_pages_come_as_they_were_sent() -> None:
    assert [page async for page in AsyncPager(Pages().fetch).pages()] == [(1, 2), (), (3,)]


def test_both_clients_page_alike() -> None:
    pager = Pager(AsyncPager(Pages().fetch))

    assert list(pager) == list(pager) == [1, 2, 3]
    assert list(pager.pages()) == [(1, 2), (), (3,)]


def test_no_page_is_fetched_before_it_is_read() -> None:
    pages = Pages()
    pager = Pager(AsyncPager(pages.fetch))

    assert pages.asked == []
    assert list(islice(pager, 2)) == [1, 2]
    assert pages.asked == [""]


def test_a_page_that_can_not_be_fetched_ends_the_loop_with_its_error() -> None:
    pages = Pages()
    rest = iter(Pager(AsyncPager(pages.fetch)))
    assert [next(rest), next(rest)] == [1, 2]

    pages.fails = True

    with pytest.raises(UnavailableError):
        next(rest)
    assert list(rest) == []


async def test_the_registry_sends_as_many_items_as_were_asked_for(server: ServerProcess) -> None:
    async with AsyncClient(server.url) as yard:
        for number in range(5):
            await yard.models.create(f"m{number}")

        assert [len(page) async for page in yard.models.list(page_size=2).pages()] == [2, 2, 1]
        assert [len(page) async for page in yard.models.search("m", page_size=3).pages()] == [3, 2]
        assert len(await anext(yard.events.list(page_size=4).pages())) == 4


@pytest.mark.parametrize("page_size", [0, -1, "many", 2.5])
def test_what_is_no_page_size_is_refused(page_size: int) -> None:
    with pytest.raises(InvalidArgumentError, match="Use a whole number from 1 to 1000"):
        Client("grpc://127.0.0.1:9").models.list(page_size=page_size)

"""Lists, fetched page by page while they are read."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from modelyard import _loop
from modelyard._frames import to_dataframe
from modelyard.core.limits import MAX_PAGE_SIZE
from modelyard.core.record import Record
from modelyard.errors import BadAnswerError

if TYPE_CHECKING:
    import pandas as pd

_T = TypeVar("_T")
_Record = TypeVar("_Record", bound=Record)

_LONGEST_TOKEN: Final = 64 << 10
"""Characters of the token of a page."""
_MOST_EMPTY: Final = 1000
"""Pages without an item in a row."""


class AsyncPager(Generic[_T]):
    """A list of the registry. Each page is fetched when the loop reaches it.

    >>> async for model in yard.models.list("team"):
    ...     print(model.name)
    >>> async for page in yard.models.list("team", page_size=500).pages():
    ...     await store(page)

    Every loop starts again at the first item. A page is read in one transaction; different pages may see different
    states, and no item that exists all the time is left out or given twice. A page that could not be fetched raises
    ``ModelyardError``; the loop ends there. A list may be left at any time, and fetches nothing more then.
    """

    def __init__(self, fetch: Callable[[str], Awaitable[tuple[tuple[_T, ...], str]]]) -> None:
        """``fetch`` takes the token of a page and gives its items and the token of the next; empty for none."""
        self._fetch = fetch

    async def pages(self) -> AsyncIterator[tuple[_T, ...]]:
        """The items of each page, as the registry sent them. A page may be empty or short; others may follow."""
        token, seen = "", ""
        count, remember_at, empty = 0, 1, 0
        while True:
            items, token = await self._fetch(token)
            empty = 0 if items else empty + 1
            if len(items) > MAX_PAGE_SIZE or len(token) > _LONGEST_TOKEN or empty > _MOST_EMPTY:
                raise BadAnswerError("the registry sent a page that no list has", reason="BAD_ANSWER")
            if token and token == seen:
                raise BadAnswerError("the registry sent the token of the same page again", reason="BAD_ANSWER")
            yield items
            if not token:
                return
            count += 1
            # Brent's algorithm finds a circle of any length, and remembers one token.
            if count == remember_at:
                seen, remember_at = token, 2 * remember_at

    async def to_dataframe(self: "AsyncPager[_Record]") -> "pd.DataFrame":
        """All items as a data frame of pandas: see :func:`modelyard.to_dataframe`."""
        return to_dataframe([item async for item in self])

    async def __aiter__(self) -> AsyncIterator[_T]:
        async for page in self.pages():
            for item in page:
                yield item


class Pager(Generic[_T]):
    """A list of the registry. Each page is fetched when the loop reaches it.

    >>> for model in yard.models.list("team"):
    ...     print(model.name)
    >>> for page in yard.models.list("team", page_size=500).pages():
    ...     store(page)

    Every loop starts again at the first item. A page is read in one transaction; different pages may see different
    states, and no item that exists all the time is left out or given twice. A page that could not be fetched raises
    ``ModelyardError``; the loop ends there. A list may be left at any time, and fetches nothing more then.
    """

    def __init__(self, pager: AsyncPager[_T]) -> None:
        self._pager = pager

    def pages(self) -> Iterator[tuple[_T, ...]]:
        """The items of each page, as the registry sent them. A page may be empty or short; others may follow."""
        return _loop.iterate(self._pager.pages())

    def to_dataframe(self: "Pager[_Record]") -> "pd.DataFrame":
        """All items as a data frame of pandas: see :func:`modelyard.to_dataframe`."""
        return to_dataframe(self)

    def __iter__(self) -> Iterator[_T]:
        for page in self.pages():
            yield from page

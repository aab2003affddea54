"""Parses list requests and builds their answers: filter, sort order, page size and page token."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from google.protobuf.message import Message

from modelyard_server.calls.errors import FieldViolation
from modelyard_server.calls.limits import Limits
from modelyard_server.calls.offload import ENTRY_BYTES, offload
from modelyard_server.calls.page_tokens import Cursor, PageTokens
from modelyard_server.calls.parsing import Collector
from modelyard_server.query import terms
from modelyard_server.query.listing import Listing, Page, Position
from modelyard_server.query.order import Order
from modelyard_server.query.syntax import FilterError

T = TypeVar("T")
M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class ListQuery:
    """A parsed list request."""

    text: str
    position: Cursor | None
    size: int
    room: int
    """Bytes after which the page ends early."""

    @property
    def after_id(self) -> str:
        """For lists in the order of ids: the page begins after this id. Empty for the first page."""
        return self.position if isinstance(self.position, str) else ""

    @property
    def after_key(self) -> int | None:
        """For lists in the order of keys: the page begins after this key. None for the first page."""
        return self.position if isinstance(self.position, int) else None

    def listing(self, where: terms.Term | None, order: Order | None, *, show_deleted: bool) -> Listing:
        after = Position(*self.position) if isinstance(self.position, list) else None
        return Listing(where=where, order=order, after=after, size=self.size, room=self.room, show_deleted=show_deleted)


@dataclass(frozen=True, slots=True)
class Lists:
    """Parses list requests and builds their answers."""

    tokens: PageTokens
    limits: Limits

    def query(self, request: Any, collector: Collector) -> ListQuery:
        """Parses a list request. Raises the violations in ``collector`` before it decrypts the page token."""
        size = self.page_size(request.page_size, collector)
        collector.raise_any()
        bare = type(request)()
        bare.CopyFrom(request)
        bare.ClearField("page_size")
        bare.ClearField("page_token")
        text = f"{type(request).__name__}:{bare.SerializeToString(deterministic=True).hex()}"
        return ListQuery(text, self.tokens.open(text, request.page_token), size, self.limits.list_bytes)

    def page_size(self, value: int, collector: Collector) -> int:
        if value < 0:
            collector.add([FieldViolation("page_size", f"{value} is negative")])
        return min(value or self.limits.page_size_default, self.limits.page_size_max)

    async def answer(self, query: ListQuery, page: Page[T], render: Callable[[T], M]) -> tuple[list[M], str]:
        """The messages of a page, and the token of the next page, which is empty after the last page.

        They are made beside the event loop, unless the page is small. A page ends early at about ``list_bytes``, but
        has at least one message. So no answer exceeds the message size of a default client.
        """
        return await offload(len(page.items) + page.bytes // ENTRY_BYTES, self._answer, query, page, render)

    def _answer(self, query: ListQuery, page: Page[T], render: Callable[[T], M]) -> tuple[list[M], str]:
        shown: list[M] = []
        room = self.limits.list_bytes
        for item in page.items:
            message = render(item)
            room -= message.ByteSize()
            if shown and room < 0:
                break
            shown.append(message)
        more = page.more or len(shown) < len(page.items)
        return shown, self.tokens.seal(query.text, page.cursors[len(shown) - 1]) if more else ""


def where(text: str, fields: terms.Fields, now: datetime, collector: Collector) -> terms.Term | None:
    """Parses and checks a filter; None for an empty one."""
    try:
        return terms.parse(text, fields, now)
    except FilterError as error:
        collector.add([FieldViolation("filter", str(error))])
        return None


def order(text: str, parse: Callable[[str], Order | None], collector: Collector) -> Order | None:
    try:
        return parse(text)
    except ValueError as error:
        collector.add([FieldViolation("order_by", str(error))])
        return None

"""One pass of `fsck`, as each check sees it."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from modelyard_server.blobs.store import BlobStore
from modelyard_server.checking.report import Report
from modelyard_server.db.inspection import Every, Inspector, Unreadable
from modelyard_server.offers import Offers

T = TypeVar("T")

Progress = Callable[[str, int], None]
"""Called with the kind of the checked things, and the number of those done."""


class Kind(StrEnum):
    """Kinds of faults that any check can find."""

    ROW_UNREADABLE = "ROW_UNREADABLE"
    ROWS_ORPHANED = "ROWS_ORPHANED"


@dataclass(frozen=True, slots=True)
class Look:
    """The tools of a check, and its report."""

    report: Report
    rows: Inspector
    store: BlobStore
    offers: Offers
    now: datetime
    progress: Progress
    reads: Callable[[str], bool]
    """Whether to read the bytes of a digest."""

    def count(self, what: str, number: int = 1) -> None:
        self.report.checked[what] = done = self.report.checked.get(what, 0) + number
        self.progress(what, done)

    def fault(self, kind: str, resource: str, detail: str) -> None:
        self.report.fault(kind, resource, detail)

    def note(self, kind: str, resource: str, detail: str) -> None:
        self.report.note(kind, resource, detail)

    async def each(self, what: str, every: Every[T], **of: Any) -> AsyncGenerator[T, None]:
        """The readable records. Counts them, and reports unreadable ones as faults."""
        self.count(what, 0)
        records: AsyncGenerator[T | Unreadable, None] = self.rows.each(every, **of)
        async with aclosing(records):
            async for record in records:
                self.count(what)
                if isinstance(record, Unreadable):
                    self.unreadable(record)
                else:
                    yield record

    def unreadable(self, row: Unreadable) -> None:
        self.fault(Kind.ROW_UNREADABLE, row.resource, "its columns have invalid values")


Check = Callable[[Look], Awaitable[None]]
"""Checks all data of one capability."""

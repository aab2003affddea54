"""Removes compacted events when nothing needs them any longer."""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Protocol, runtime_checkable

from modelyard_server.db.unit_of_work import Database, Transaction
from modelyard_server.log.repository import EventRepository

_BATCH: Final = 100


@runtime_checkable
class EventKeeper(Protocol):
    """Keeps events that are still needed after their compaction."""

    async def awaited_events(
        self, transaction: Transaction, namespace_key: int, revisions: Collection[int]
    ) -> Collection[int]:
        """The revisions whose events must stay."""
        ...


@dataclass(frozen=True, slots=True)
class ForgetEvents:
    database: Database
    keepers: Collection[EventKeeper]

    async def __call__(self) -> int:
        """Removes compacted events, a hundred per transaction. Returns their number."""
        after, removed = (0, 0), 0

        async def step(transaction: Transaction) -> tuple[tuple[int, int] | None, int]:
            found = await EventRepository(transaction).below_floor(after=after, limit=_BATCH)
            count = 0
            for namespace_key, group in groupby(found, key=lambda each: each[0]):
                count += await self._forget(transaction, namespace_key, [revision for _, revision in group])
            return (found[-1] if len(found) == _BATCH else None), count

        while True:
            last, count = await self.database.write(step)
            removed += count
            if last is None:
                return removed
            after = last

    async def _forget(self, transaction: Transaction, namespace_key: int, revisions: list[int]) -> int:
        awaited = {
            revision
            for keeper in self.keepers
            for revision in await keeper.awaited_events(transaction, namespace_key, revisions)
        }
        gone = [revision for revision in revisions if revision not in awaited]
        if gone:
            await EventRepository(transaction).remove(namespace_key, gone)
        return len(gone)

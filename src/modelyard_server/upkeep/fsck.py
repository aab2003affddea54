"""Runs the checks of all capabilities.

Nothing is ever repaired here. It may run beside a server: what it reads page by page can change meanwhile, so if
something looks wrong everything is looked at again, and only what is wrong both times is told.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from modelyard_server.blobs.store import BlobStore
from modelyard_server.checking.look import Check, Kind, Look, Progress
from modelyard_server.checking.report import MAX_TOLD, Report
from modelyard_server.db.inspection import Inspector
from modelyard_server.offers import Offers
from modelyard_server.transfers.checks import Kind as TransfersKind


@dataclass(frozen=True, slots=True)
class ConsistencyCheck:
    checks: Sequence[Check]
    rows: Inspector
    store: BlobStore
    offers: Offers
    clock: Callable[[], datetime]
    progress: Progress = lambda what, done: None  # noqa: ARG005 (nobody listens)

    async def run(self, *, read_data: bool) -> Report:
        """Checks everything; with ``read_data`` also that each blob's bytes are those of its digest."""
        first = await self._look(lambda _digest: read_data)
        if first.clean or first.fault_count > MAX_TOLD:  # so many that no passing change explains them
            return first
        changed = {finding.resource for finding in first.faults if finding.kind == TransfersKind.BLOB_CHANGED}
        return (await self._look(changed.__contains__)).confirming(first)

    async def _look(self, reads: Callable[[str], bool]) -> Report:
        look = Look(Report(), self.rows, self.store, self.offers, self.clock(), self.progress, reads)
        for table, parent, count in await self.rows.orphans():
            text = f"rows that belong to a row of {parent} which is not there: {count}"
            look.fault(Kind.ROWS_ORPHANED, table, text)
        for check in self.checks:
            await check(look)
        return look.report

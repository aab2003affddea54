"""Runs the checks of all capabilities.

It never repairs anything. It may run while a server runs. Data can change while it is read page by page. So if there
are faults, everything is checked again, and only faults of both passes are reported.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from modelyard_server.blobs.store import BlobStore
from modelyard_server.checking.look import Check, Kind, Look, Progress
from modelyard_server.checking.report import MAX_LISTED, Report
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
    progress: Progress = lambda what, done: None  # noqa: ARG005 (ignored)

    async def run(self, *, read_data: bool) -> Report:
        """Checks everything. With ``read_data``, it also compares the bytes of each blob with its digest."""
        first = await self._look(lambda _digest: read_data)
        if first.clean or first.fault_count > MAX_LISTED:  # too many for changes in between
            return first
        changed = {finding.resource for finding in first.faults if finding.kind == TransfersKind.BLOB_CHANGED}
        return (await self._look(changed.__contains__)).confirming(first)

    async def _look(self, reads: Callable[[str], bool]) -> Report:
        look = Look(Report(), self.rows, self.store, self.offers, self.clock(), self.progress, reads)
        for table, parent, count in await self.rows.orphans():
            text = f"rows that refer to a missing row of {parent}: {count}"
            look.fault(Kind.ROWS_ORPHANED, table, text)
        for check in self.checks:
            await check(look)
        return look.report

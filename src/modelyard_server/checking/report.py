"""The report of `fsck`."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

MAX_LISTED: Final = 1000
"""Most faults, and most notes, that the report lists. All are counted."""


class Finding(NamedTuple):
    """One fault or note."""

    kind: str
    """For programs. A kind never changes after a release."""
    resource: str
    detail: str


@dataclass(slots=True)
class Report:
    """The counts and findings of a check."""

    checked: dict[str, int] = field(default_factory=dict)
    faults: list[Finding] = field(default_factory=list)
    fault_count: int = 0
    notes: list[Finding] = field(default_factory=list)
    """Facts that are no faults."""
    note_count: int = 0

    @property
    def clean(self) -> bool:
        return not self.fault_count

    def fault(self, kind: str, resource: str, detail: str) -> None:
        self.fault_count += 1
        if len(self.faults) < MAX_LISTED:
            self.faults.append(Finding(kind, resource, detail))

    def note(self, kind: str, resource: str, detail: str) -> None:
        self.note_count += 1
        if len(self.notes) < MAX_LISTED:
            self.notes.append(Finding(kind, resource, detail))

    def confirming(self, earlier: "Report") -> "Report":
        """Only the faults that an earlier report has too. Their details may differ, because a log may grow."""
        before = {(finding.kind, finding.resource) for finding in earlier.faults}
        faults = [finding for finding in self.faults if (finding.kind, finding.resource) in before]
        return Report(earlier.checked, faults, len(faults), self.notes, self.note_count)

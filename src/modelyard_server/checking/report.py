"""What `fsck` found."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

MAX_TOLD: Final = 1000
"""Faults and notes that are kept, of each. All are counted."""


class Finding(NamedTuple):
    """One thing that is not as it should be."""

    kind: str
    """For programs: a name never changes once published."""
    resource: str
    detail: str


@dataclass(slots=True)
class Report:
    """What a check saw."""

    checked: dict[str, int] = field(default_factory=dict)
    faults: list[Finding] = field(default_factory=list)
    fault_count: int = 0
    notes: list[Finding] = field(default_factory=list)
    """True, and no fault."""
    note_count: int = 0

    @property
    def clean(self) -> bool:
        return not self.fault_count

    def fault(self, kind: str, resource: str, detail: str) -> None:
        self.fault_count += 1
        if len(self.faults) < MAX_TOLD:
            self.faults.append(Finding(kind, resource, detail))

    def note(self, kind: str, resource: str, detail: str) -> None:
        self.note_count += 1
        if len(self.notes) < MAX_TOLD:
            self.notes.append(Finding(kind, resource, detail))

    def confirming(self, earlier: "Report") -> "Report":
        """Only the faults that the earlier report tells too. Details may differ: a log that is wrong still grows."""
        before = {(finding.kind, finding.resource) for finding in earlier.faults}
        faults = [finding for finding in self.faults if (finding.kind, finding.resource) in before]
        return Report(earlier.checked, faults, len(faults), self.notes, self.note_count)

"""The table that `make bench` writes."""

import os
import platform
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil

README: Final = Path(__file__).with_name("README.md")
_START: Final = "<!-- measured -->"
_END: Final = "<!-- /measured -->"


@dataclass(frozen=True, slots=True)
class Row:
    """One measure beside its floor or peer in the same run."""

    name: str
    ours: str
    other: str
    ratio: float | None = None
    """How many times better than the other: faster, or more per second."""
    target: float = 0
    """The smallest ratio that meets the target. 0 means no target."""

    @property
    def cells(self) -> tuple[str, ...]:
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}×" if self.ratio < 10 else f"{self.ratio:.0f}×"
        target = f"≥ {self.target:g}×" if self.target else ""
        verdict = "" if not self.target or self.ratio is None else "yes" if self.ratio >= self.target else "**no**"
        return self.name, self.ours, self.other, ratio, target, verdict


def shown(rows: Iterable[Row]) -> Iterator[Row]:
    """Prints each row and yields it."""
    for row in rows:
        name, *others = row.cells
        print(f"{name:58} {others[0]:>18}  {others[1]:28} {others[2]:>8} {others[3]:>8} {others[4]}", flush=True)
        yield row


def write(rows: Iterable[Row]) -> None:
    """Replaces the table in README.md."""
    head = ("measure", "Modelyard", "floor or peer", "ratio", "target", "met")
    lines = [f"| {' | '.join(cells)} |" for cells in (head, ("---",) * len(head), *(row.cells for row in rows))]
    table = f"{_START}\n{_machine()}\n\n" + "\n".join(lines) + f"\n{_END}"
    text = README.read_text()
    README.write_text(re.sub(f"{_START}.*{_END}", lambda _: table, text, flags=re.DOTALL))


def _machine() -> str:
    memory = psutil.virtual_memory().total >> 30
    now = datetime.now(UTC).date().isoformat()
    return (
        f"{now}, {os.cpu_count()} cores, {memory} GiB, Linux {platform.release()}, Python {platform.python_version()}."
    )

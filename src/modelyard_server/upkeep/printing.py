"""Prints the report of `modelyard-server fsck`."""

import json
import sys
import time
from collections.abc import Sequence
from typing import Final, TextIO

from modelyard_server.checking.report import Finding, Report

_PROGRESS_DELAY_SECONDS: Final = 1.0
"""Seconds before progress is shown."""


class Meter:
    """Shows progress in one line of a terminal."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self._stream = stream
        self._next = time.monotonic() + _PROGRESS_DELAY_SECONDS if stream.isatty() else float("inf")
        self._width = 0

    def show(self, what: str, done: int) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + 0.2
        self._write(f"checking {what}: {done:,}")

    def close(self) -> None:
        if self._width:
            self._write("")

    def _write(self, text: str) -> None:
        self._stream.write(f"\r{text:{self._width}}\r")
        self._stream.flush()
        self._width = len(text)


def as_json(report: Report) -> str:
    """One JSON document. Lists have at most a thousand entries. Counts are complete."""
    return json.dumps(
        {
            "clean": report.clean,
            "checked": report.checked,
            "fault_count": report.fault_count,
            "faults": [finding._asdict() for finding in report.faults],
            "note_count": report.note_count,
            "notes": [finding._asdict() for finding in report.notes],
        },
        indent=2,
    )


def as_text(report: Report) -> str:
    lines = ["checked " + ", ".join(f"{count:,} {what}" for what, count in report.checked.items())]
    lines += _section("fault", report.faults, report.fault_count)
    lines += _section("note", report.notes, report.note_count)
    lines.append("clean" if report.clean else f"{report.fault_count:,} found wrong; nothing was changed")
    return "\n".join(lines)


def _section(word: str, findings: Sequence[Finding], count: int) -> list[str]:
    lines = [f"{word}: {kind}  {resource}: {detail}" for kind, resource, detail in findings]
    if count > len(findings):
        lines.append(f"{word}: and {count - len(findings):,} more")
    return lines

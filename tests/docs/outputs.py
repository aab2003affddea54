"""Compares what a command printed with what a page shows."""

import re
from collections.abc import Sequence
from typing import Final

# What differs from run to run, in the order in which it is looked for.
_VOLATILE: Final = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"whsec_[\w+/=…]+"), "<secret>"),
    (re.compile(r"\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*[0-9])[0-9a-f]{8,64}(?:…|\.\.\.)?"), "<hex>"),
    (re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?(?:Z| UTC|\+00:00)?"), "<time>"),
    (re.compile(r"\bafter \d+ ms\b"), "<after>"),
    (re.compile(r"\bnow\b(?!-)|\b\d+ (?:s|min|h|d|seconds?|minutes?)\b(?: ago)?"), "<age>"),
    (re.compile(r"[━─═-]{3,}"), "---"),
    (re.compile(r"\s+"), " "),
)
_ANY_LINES: Final = "..."
_ANY_TEXT: Final = "…"


def plain(line: str) -> str:
    """A line without what differs from run to run."""
    for pattern, instead in _VOLATILE:
        line = pattern.sub(instead, line)
    return line.strip()


def equal(shown: Sequence[str], printed: Sequence[str]) -> bool:
    """Whether the page shows what was printed. A line ``...`` stands for any lines, and ``…`` for any text."""
    parts = ["(?:.*\n)*?" if line.strip() == _ANY_LINES else f"{_pattern(plain(line))}\n" for line in _trimmed(shown)]
    text = "".join(f"{plain(line)}\n" for line in _trimmed(printed))
    return re.fullmatch("".join(parts), text) is not None


def _pattern(line: str) -> str:
    return ".*".join(map(re.escape, line.split(_ANY_TEXT)))


def _trimmed(lines: Sequence[str]) -> list[str]:
    return [line for line in lines if line.strip()]

"""What tables and pages are made of."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from modelyard.cli.text import escape_lines, plain
from modelyard.core.times import rfc3339


def columns(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in names:
        right = name in {"REVISION", "SIZE", "FILES", "ROWS", "AGE"}
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    return table


def pairs(facts: Mapping[str, Any]) -> Table | None:
    """Names and values without those that are empty; None if that is all of them."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in facts.items():
        if value not in {"", None}:
            table.add_row(plain(name, "dim"), plain(value))
    return table if table.row_count else None


def ordered(facts: Mapping[str, Any]) -> Table | None:
    """The same for a map, which has no order of its own."""
    return pairs(dict(sorted(facts.items())))


def section(title: str, body: RenderableType | None) -> RenderableType | None:
    if isinstance(body, str):
        body = Text(escape_lines(body)) if body else None
    return Group("", Text(title.upper(), style="bold"), body) if body else None


def page(*parts: RenderableType | None) -> RenderableType:
    return Group(*(part for part in parts if part is not None))


def when(moment: datetime) -> str:
    """As every option that takes a time reads it: in UTC, to the second."""
    return rfc3339(moment, "seconds")

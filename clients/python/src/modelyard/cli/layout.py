"""What tables and pages are made of."""

import textwrap
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Column, Table
from rich.text import Text

from modelyard.cli.text import escape, escape_lines, plain
from modelyard.core.times import rfc3339

_RIGHT: Final = frozenset({"REVISION", "SIZE", "FILES", "ROWS", "AGE"})
_FIRST_TO_GO: Final = (
    *("DISPLAY NAME", "OWNER", "BYTES", "HARNESS", "ATTEMPTS", "HEARD OF", "INSTANCE", "FILES", "ACTOR", "BY", "ROWS"),
    *("AGE", "SINCE", "NEXT", "TYPES", "DIGEST", "FOLLOWS", "REASON", "SIZE", "ENVIRONMENT", "STATE", "METRICS"),
)
"""Columns that a narrow terminal does without, in this order. Others are shortened."""
_SHORTEST: Final = 12
"""Columns of the terminal that a cell keeps when it is shortened."""
_GAP: Final = 2


class Columns(Table):
    """A table that fits its terminal: a row is one line, and no word is broken over two.

    If the width is too small, it leaves out columns, says so, and shortens cells with an ellipsis.
    """

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        kept, left_out = self._kept(options.max_width)
        widths = self._widths(kept, options.max_width)
        table = _bare()
        for column, width in zip(kept, widths, strict=True):
            _add(table, str(column.header), width)
        for cells in zip(*(column.cells for column in kept), strict=True):
            table.add_row(*cells)
        yield table
        if left_out:
            told = f"(not shown on a terminal this narrow: {', '.join(left_out)})"
            yield Text(told, style="dim", no_wrap=True, overflow="ellipsis")

    def _kept(self, width: int) -> tuple[list[Column], list[str]]:
        """The columns to show, and the names of those with something in them that are left out."""
        kept, left_out = list(self.columns), []
        filled = {str(column.header) for column in kept if any(str(cell) for cell in column.cells)}
        for name in sorted(_FIRST_TO_GO, key=lambda name: name in filled):
            if _least_width(kept) <= width:
                break
            fewer = [column for column in kept if column.header != name]
            if len(fewer) < len(kept) and name in filled:
                left_out.append(name)
            kept = fewer
        return kept, left_out

    @staticmethod
    def _widths(kept: Sequence[Column], width: int) -> list[int]:
        """Takes from the widest columns until the row fits. The first one names the row and stays as it is."""
        widths = [_natural(column) for column in kept]
        for _ in range(sum(widths) + _GAP * len(widths) - width):
            widest = max(range(1, len(widths)), key=lambda place: widths[place], default=0)
            if not widest or widths[widest] <= _SHORTEST:
                break
            widths[widest] -= 1
        return widths


def _natural(column: Column) -> int:
    return max(cell_len(str(text)) for text in (column.header, *column.cells))


def _least_width(columns: Sequence[Column]) -> int:
    """What the columns need if each that may be shortened is."""
    least = [_natural(columns[0]), *(min(_natural(column), _SHORTEST) for column in columns[1:])]
    return sum(least) + _GAP * len(least)


def _bare() -> Table:
    return Table(box=None, pad_edge=False, header_style="dim", padding=(0, _GAP, 0, 0))


def _add(table: Table, name: str, width: int | None = None) -> None:
    right = name in _RIGHT
    table.add_column(name, justify="right" if right else "left", overflow="ellipsis", no_wrap=True, width=width)


def columns(*names: str) -> Table:
    table = Columns()
    for name in names:
        _add(table, name)
    return table


class Pairs:
    """Names and values. Values break between words only: a digest that is too long for the line can still be copied."""

    def __init__(self, rows: Mapping[str, Text]) -> None:
        self._rows = rows

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        indent = max(cell_len(name) for name in self._rows) + _GAP
        for name, value in self._rows.items():
            lines = textwrap.wrap(
                value.plain,
                max(options.max_width - indent, _SHORTEST),
                break_long_words=False,
                break_on_hyphens=False,
                replace_whitespace=False,
            )
            for place, line in enumerate(lines or [""]):
                label = name if place == 0 else ""
                gap = " " * (indent - cell_len(label))
                yield Text.assemble((label, "dim"), gap, line, no_wrap=True, overflow="ignore")


def pairs(facts: Mapping[str, Any]) -> Pairs | None:
    """Names and values without those that are empty; None if that is all of them."""
    rows = {escape(name): plain(value) for name, value in facts.items() if value not in {"", None}}
    return Pairs(rows) if rows else None


def ordered(facts: Mapping[str, Any]) -> Pairs | None:
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

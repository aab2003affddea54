"""The progress bar of pushes and pulls without a callback: one line on standard error, gone when the transfer ends."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final, TextIO

from modelyard._caller import on_caller, tell
from modelyard._notebook import in_notebook
from modelyard.errors import InvalidArgumentError
from modelyard.types import Progress

ProgressOption = bool | Callable[[Progress], None]
"""What ``progress`` may be: a callback, or whether there is a bar where somebody may look at it."""

_CELLS: Final = 20
_NARROW: Final = 60
"""Columns of a terminal below which the line has no bar, but its numbers alone."""
_UNITS: Final = ("bytes", "kB", "MB", "GB", "TB", "PB")


def check_progress(progress: ProgressOption | None) -> None:
    """Raises ``InvalidArgumentError`` if ``progress`` is neither a bool nor a callback, before a request is sent."""
    if not (progress is None or isinstance(progress, bool) or callable(progress)):
        raise InvalidArgumentError(
            [("progress", f"is {str(progress)[:40]!r}. Use True, False, or a function that takes a Progress.")]
        )


@contextmanager
def reporting(progress: ProgressOption | None) -> Iterator[Callable[[Progress], None] | None]:
    """Yields the callback for a transfer, if it has one; a bar's line is gone after the block.

    It is called by the thread that made the call: it may take its time there, and a notebook prints under the cell of
    the thread that writes. Raises ``InvalidArgumentError`` if ``progress`` is neither a bool nor a callback.
    """
    check_progress(progress)
    if not isinstance(progress, bool) and progress is not None:
        yield on_caller(progress)
        return
    if not progress or not (_is_terminal(sys.stderr) or in_notebook()):
        yield None
        return
    bar = Bar(sys.stderr)
    try:
        yield on_caller(bar.show)
    finally:
        tell(bar.close)


class Bar:
    """The line. It is plain ASCII and has no names of files: a terminal obeys some characters.

    A stream that raises, whatever it is, ends the bar and never the transfer: programs put objects of their own in the
    place of standard error.
    """

    def __init__(self, out: TextIO, clock: Callable[[], float] = monotonic) -> None:
        self._out = out
        self._clock = clock
        self._phase = ""
        self._began = 0.0
        self._shown = 0
        self._broken = False

    def show(self, progress: Progress) -> None:
        if self._broken:
            return
        if progress.phase != self._phase:
            self._phase, self._began = progress.phase, self._clock()
        part = progress.done / progress.total if progress.total else 1.0
        seconds = self._clock() - self._began
        speed = f"  {_size(progress.done / seconds)}/s" if seconds > 0 and progress.done else ""
        amount = f"{_size(progress.done)} of {_size(progress.total)}{speed}"
        full = round(part * _CELLS)
        cells = f"[{'#' * full}{'.' * (_CELLS - full)}]  " if self._columns() >= _NARROW else ""
        self._draw(f"{progress.phase:8}  {part:4.0%}  {cells}{amount}"[: self._columns() - 1])

    def close(self) -> None:
        if self._shown and not self._broken:
            self._draw("", end="\r")

    def _draw(self, line: str, end: str = "") -> None:
        try:
            self._out.write(f"\r{line.ljust(self._shown)}{end}")
            self._out.flush()
        except Exception:  # noqa: BLE001 - see the class
            self._broken = True
        self._shown = len(line)

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._out.fileno()).columns or 80
        except Exception:  # noqa: BLE001 - a notebook has none; see the class for the others
            return 80


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and bool(stream.isatty())
    except Exception:  # noqa: BLE001 - it is closed, or no terminal at all: see Bar
        return False


def _size(count: float) -> str:
    """As the command line says it, which has Rich's ``decimal``: this bar needs no package."""
    if round(count) == 1:
        return "1 byte"
    power = 0
    while count >= 999.5 and power < len(_UNITS) - 1:
        count, power = count / 1000, power + 1
    return f"{count:.{0 if power == 0 else 1}f} {_UNITS[power]}"

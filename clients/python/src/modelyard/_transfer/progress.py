"""Progress callbacks, at a pace that a terminal can follow."""

from collections.abc import Callable
from time import monotonic
from typing import Final

from modelyard.types import Progress

ProgressCallback = Callable[[Progress], None]

_INTERVAL: Final = 0.05
"""Seconds between two calls."""


class Meter:
    """Counts the bytes of one phase, and tells the callback, on the caller's loop.

    What the callback raises goes through to the push or pull: a callback may end it by raising.
    """

    def __init__(self, callback: ProgressCallback | None, phase: str, total: int) -> None:
        self._callback = callback
        self._phase = phase
        self._total = total
        self._path = ""
        self._done = 0
        self._told_at = -_INTERVAL

    def add(self, path: str, size: int) -> None:
        self._path = path
        self._done += size
        if self._callback and monotonic() - self._told_at >= _INTERVAL:
            self._tell(self._callback)

    def finish(self) -> None:
        """Tells the final count, whenever the last call was."""
        if self._callback:
            self._tell(self._callback)

    def _tell(self, callback: ProgressCallback) -> None:
        self._told_at = monotonic()
        callback(Progress(phase=self._phase, path=self._path, done=self._done, total=self._total))

"""Memory that streams share. For the event loop alone."""

from typing import Final

_SHARE: Final = 16
"""A stream gets at most one sixteenth of the rest. So the first streams leave some for later ones."""
_SPENT: Final = 8


class Budget:
    """Bytes that all streams may hold together. A stream always gets a little, so that none waits for another."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._low = size // _SPENT

    @property
    def spent(self) -> bool:
        """Little is left: each stream should now make do with what it has."""
        return self._left <= self._low

    def take(self, wanted: int, least: int) -> int:
        """``wanted`` bytes, fewer if not many are left, but not fewer than ``least``. :meth:`give` returns them."""
        granted = min(wanted, max(self._left // _SHARE, least))
        self._left -= granted
        return granted

    def give(self, size: int) -> None:
        self._left += size

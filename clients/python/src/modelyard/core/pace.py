"""How slow the other end of a stream may be."""

from typing import Final

MIN_BYTES_PER_SECOND: Final = 4096
"""Slower than any link that a model travels over. A slower peer would hold its place for nothing."""


class Pace:
    """The seconds that the other end still has. They pass while this end waits for it, and its bytes earn new ones.

    So a peer that is slower than :data:`MIN_BYTES_PER_SECOND` is out of time after the grace period, and one that
    stops is too. Time in which this end itself works does not count.
    """

    def __init__(self, grace: float) -> None:
        """``grace`` is the time in seconds at the start, and the most that a peer can save up."""
        self._grace = grace
        self.seconds = grace

    def waited(self, seconds: float, size: int) -> None:
        """Counts ``size`` bytes for which this end waited some seconds."""
        self.seconds = min(self._grace, max(0.0, self.seconds - seconds) + size / MIN_BYTES_PER_SECOND)

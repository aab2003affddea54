"""The time that collecting may take, and what need not be collected twice."""

import os
import time
from collections.abc import Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class NotKnownError(Exception):
    """The fact can't be had. The text says why: people read it, and it is stored."""


class TooLateError(NotKnownError):
    """The fact would have come too late."""


class Budget:
    """Counts down from ``seconds`` once it is made."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._end = clock() + seconds

    @property
    def remaining(self) -> float:
        """In seconds; 0.0 when it is used up."""
        return max(0.0, self._end - self._clock())

    @property
    def too_late(self) -> TooLateError:
        return TooLateError(f"collecting took longer than {self.seconds:g} s")

    def check(self) -> None:
        """Raises :class:`TooLateError` when it is used up."""
        if not self.remaining:
            raise self.too_late


class OncePerProcess(Generic[_T]):
    """Facts that can't change while a process lives; a forked child finds its own."""

    def __init__(self, find: Callable[[Budget], _T]) -> None:
        self._find = find
        self._found: tuple[int, _T] | None = None

    def get(self, budget: Budget) -> _T:
        """What was found; whatever ``find`` raises is raised again at the next call's attempt, not remembered."""
        pid, found = os.getpid(), self._found
        if found is None or found[0] != pid:
            found = self._found = (pid, self._find(budget))
        return found[1]

"""The time that collecting may take, and what need not be collected twice."""

import os
import time
from collections.abc import Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class TooLateError(Exception):
    """The fact would have come too late."""


class Budget:
    """Counts down from ``seconds`` once it is made."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    @property
    def remaining(self) -> float:
        """In seconds; 0.0 when it is used up."""
        return max(0.0, self._end - self._clock())

    def check(self) -> None:
        """Raises :class:`TooLateError` when it is used up."""
        if not self.remaining:
            raise TooLateError


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

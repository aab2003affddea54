"""The known name that a misspelt one was probably meant to be."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

MOST_COMPARED: Final = 100
"""Most names that a misspelt one should be compared with."""


def nearest(wrong: str, known: Iterable[str]) -> str | None:
    """The first known name that begins with the wrong one, else the most similar one; None if none is similar."""
    names = list(known)
    begun = [each for each in names if wrong and each.startswith(wrong)]
    return next(iter(begun or get_close_matches(wrong, names, n=1)), None)


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """A sentence for the end of an error, with a space before it; empty if no known name is like the wrong one."""
    near = nearest(wrong, known)
    return "" if near is None else f" Did you mean {near!r}?"

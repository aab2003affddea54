"""What a misspelt name was probably meant to be."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

MOST_COMPARED: Final = 100
"""Most names that a misspelt one is compared with."""


def did_you_mean(wrong: str, known: Sequence[str]) -> str:
    """A sentence for the end of an error, with a space before it; empty if no known name is like the wrong one."""
    near = [each for each in known if each.startswith(wrong)][:1] or get_close_matches(wrong, known, n=1)
    return f" Did you mean {near[0]!r}?" if near else ""

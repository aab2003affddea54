"""Pages of lists."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows of a list, in its order."""

    items: Sequence[T]
    more: bool
    """Whether rows follow."""

    @classmethod
    def of(cls, found: Sequence[T], size: int) -> "Page[T]":
        """A page of at most ``size`` rows, of rows that were looked up to one more than that."""
        return cls(found[:size], len(found) > size)

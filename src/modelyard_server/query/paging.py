"""Pages of lists."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from modelyard_server.calls.page_tokens import Cursor

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows of a list, in its order."""

    items: Sequence[T]
    cursors: Sequence[Cursor]
    """Of each item: where a list goes on that was read up to it."""
    more: bool
    """Whether rows follow."""

    @classmethod
    def of(cls, found: Sequence[T], size: int, cursor: Callable[[T], Cursor]) -> "Page[T]":
        """A page of at most ``size`` rows, of rows that were looked up to one more than that."""
        shown = found[:size]
        return cls(shown, [cursor(each) for each in shown], len(found) > size)

    def cut(self, items: Sequence[T]) -> "Page[T]":
        """The page of its first items alone, in the form that they have by now."""
        count = len(items)
        return Page(items, self.cursors[:count], more=self.more or count < len(self.items))

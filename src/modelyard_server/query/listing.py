"""Lists that are searched, sorted and read page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

from modelyard_server.log.values import Place
from modelyard_server.query.order import Order
from modelyard_server.query.terms import Term

T = TypeVar("T")


class Position(NamedTuple):
    """Where a page ends."""

    value: str | int | float | None
    """Of the last row, in the field that is sorted by; None if it has none."""
    key: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Which rows of a list a caller wants, and where the page begins."""

    where: Term | None = None
    order: Order | None = None
    """None for the list's own."""
    after: Position | None = None
    size: int
    show_deleted: bool = False


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """A page of a list, in its order."""

    items: Sequence[T]
    positions: Sequence[Position]
    """Of the items, in their order."""
    more: bool
    """Whether rows follow."""

    @property
    def end(self) -> Position | None:
        """Where the next page begins; None behind the last."""
        return self.positions[-1] if self.more else None

    def cut(self, items: Sequence[T]) -> "Listed[T]":
        """The page of its first items alone."""
        count = len(items)
        return Listed(items, self.positions[:count], more=self.more or count < len(self.items))


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentListing:
    """Which deployments a caller wants, of those that are live at ``now``."""

    now: datetime
    where: Term | None = None
    after: int | None = None
    """The key that the page before ended with."""
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutQuery:
    """Which deployments are held against an alias."""

    now: datetime
    references: Sequence[str]
    """That count: what is meant by the alias, and what follows nothing."""
    environment: str = ""
    """Empty for all."""
    size: int
    """Of the list of those that differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventListing:
    """Which events a caller wants."""

    place: Place
    where: Term | None = None
    descending: bool = False
    after: int | None = None
    """The last revision of the page before."""
    size: int

"""Implementations that capabilities offer to capabilities below them.

A capability must not import capabilities above it, but sometimes needs an answer from them: may this version be
deleted? So it declares an interface. A capability above implements it. The composition root passes the implementations
down.
"""

from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")


class Offers:
    """Finds implementations by their interface."""

    def __init__(self, offered: Iterable[object] = ()) -> None:
        self._offered = list(offered)

    def add(self, offered: object) -> None:
        self._offered.append(offered)

    def of(self, interface: type[T]) -> tuple[T, ...]:
        """All implementations of an interface, in the order of their capabilities."""
        return tuple(each for each in self._offered if isinstance(each, interface))

    def one(self, interface: type[T]) -> T:
        """The only implementation of an interface."""
        (found,) = self.of(interface)
        return found

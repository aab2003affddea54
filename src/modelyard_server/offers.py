"""What capabilities give to those below them.

A capability must not know those above it, but sometimes needs their word: may this version be deleted? It declares an
interface, whoever is above implements it, and the composition root hands the implementations down.
"""

from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")


class Offers:
    """Implementations, found by the interface that they implement."""

    def __init__(self, offered: Iterable[object] = ()) -> None:
        self._offered = list(offered)

    def add(self, offered: object) -> None:
        self._offered.append(offered)

    def of(self, interface: type[T]) -> tuple[T, ...]:
        """All that implement an interface, in the order of the capabilities that offer them."""
        return tuple(each for each in self._offered if isinstance(each, interface))

    def one(self, interface: type[T]) -> T:
        """The one implementation that there must be."""
        (found,) = self.of(interface)
        return found

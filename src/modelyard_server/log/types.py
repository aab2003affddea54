"""Event types such as `alias.moved`, and wildcards for all types of a kind such as `alias.*`."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from modelyard_server.calls import validation
from modelyard_server.calls.errors import FieldViolation

_WILDCARD_SUFFIX: Final = ".*"


@dataclass(frozen=True, slots=True)
class EventTypes:
    """All known event types."""

    known: frozenset[str]

    def check(self, field: str, types: Sequence[str], most: int) -> Iterator[FieldViolation]:
        """Violations in the event types of a request. Unknown types are refused, because they are probably typos."""
        yield from validation.at_most(field, len(types), most)
        wildcards = {type_.partition(".")[0] + _WILDCARD_SUFFIX for type_ in self.known}
        for index, type_ in enumerate(types):
            if type_ not in self.known and type_ not in wildcards:
                of_kind = sorted(known for known in self.known if known.startswith(f"{type_.partition('.')[0]}."))
                known = ", ".join(of_kind or sorted(wildcards))
                yield FieldViolation(f"{field}[{index}]", f"{type_[:80]!r} is not an event type. Use {known}.")


def is_wanted(type_: str, wanted: Iterable[str]) -> bool:
    """Whether ``wanted`` has the type or a wildcard for it. An empty ``wanted`` has all types."""
    chosen = frozenset(wanted)
    return not chosen or type_ in chosen or type_.partition(".")[0] + _WILDCARD_SUFFIX in chosen

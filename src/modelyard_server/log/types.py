"""Types of events, and the wildcards that stand for all of a kind: `alias.moved`, `alias.*`."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from modelyard_server.calls.errors import FieldViolation

_EVERYTHING_OF: Final = ".*"


@dataclass(frozen=True, slots=True)
class EventTypes:
    """Those that there are."""

    known: frozenset[str]

    def check(self, field: str, types: Sequence[str], most: int) -> Iterator[FieldViolation]:
        """Violations of a list of types that a caller wants: a type that never comes is more likely a slip."""
        if len(types) > most:
            yield FieldViolation(field, f"has {len(types)} entries; at most {most} are allowed")
        everything = {type_.partition(".")[0] + _EVERYTHING_OF for type_ in self.known}
        for index, type_ in enumerate(types):
            if type_ not in self.known and type_ not in everything:
                of_kind = sorted(known for known in self.known if known.startswith(f"{type_.partition('.')[0]}."))
                known = ", ".join(of_kind or sorted(everything))
                yield FieldViolation(f"{field}[{index}]", f"{type_[:80]!r} is no type of event; there are {known}")


def is_wanted(type_: str, wanted: Iterable[str]) -> bool:
    """Whether a type is among those that a caller wants, by itself or by a wildcard. None wanted means all."""
    chosen = frozenset(wanted)
    return not chosen or type_ in chosen or type_.partition(".")[0] + _EVERYTHING_OF in chosen

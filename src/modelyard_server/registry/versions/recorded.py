"""The facts of a version as they are at rest, decoded only where they are used."""

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

from modelyard.core.facts import Facts
from modelyard_server.calls.offload import ENTRY_BYTES
from modelyard_server.registry.versions.facts import facts_from_json, facts_to_json


class Recorded:
    """The facts of one version.

    Megabytes of them take tens of milliseconds to decode, and most calls that find a version never look at its facts.
    """

    def __init__(self, stored: str | Mapping[str, Any]) -> None:
        """``stored`` is JSON as text, or the decoded map."""
        self._given = stored

    @classmethod
    def of(cls, facts: Facts) -> "Recorded":
        return cls(facts_to_json(facts))

    @cached_property
    def stored(self) -> Mapping[str, Any]:
        """The facts as stored in the database and the log."""
        if isinstance(self._given, str):
            decoded: Mapping[str, Any] = json.loads(self._given)
            return decoded
        return self._given

    @cached_property
    def facts(self) -> Facts:
        return facts_from_json(self.stored)

    @property
    def entries(self) -> int:
        """About how many entries its maps and lists have, without decoding them."""
        if isinstance(self._given, str):
            return len(self._given) // ENTRY_BYTES
        return sum(map(_entries, self._given.values()))

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Recorded) and self.stored == other.stored)

    __hash__ = None  # type: ignore[assignment]  # its maps have none


def _entries(value: Any) -> int:
    if isinstance(value, Mapping):
        return sum(map(_entries, value.values()))
    return len(value) if isinstance(value, list | tuple) else 1


NO_FACTS: Final = Recorded({})

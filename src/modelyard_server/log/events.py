"""Encodes compactions for the log."""

from dataclasses import dataclass
from typing import Final

from modelyard.core.names import NamespaceName
from modelyard_server.calls.resource import Resource
from modelyard_server.log.kinds import Kind
from modelyard_server.log.values import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor(Resource):
    """The first revision that a namespace's log keeps."""

    name: NamespaceName
    compacted_revision: int


def _encode(floor: Floor) -> Json:
    return {"compacted_revision": floor.compacted_revision}


def _decode(stored: Json) -> Floor:
    raise ValueError(f"a floor is no resource of the API: {stored}")


LOG: Final = Kind(
    name="log",
    verbs=("compacted",),
    # Schema 0 had a snapshot of the namespace.
    schemas={0: frozenset(), 1: frozenset({"compacted_revision"})},
    encode=_encode,
    decode=_decode,
)

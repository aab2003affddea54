"""Encodes the damage of blobs for the log."""

from dataclasses import dataclass
from typing import Final

from modelyard_server.calls.resource import Resource
from modelyard_server.log.kinds import Kind
from modelyard_server.log.values import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobCondition(Resource):
    """A blob of a namespace, and the damage to its stored bytes."""

    name: str
    digest: str
    size: int
    damage: str = ""
    """Empty if nothing is."""


def _encode(blob: BlobCondition) -> Json:
    return {"digest": blob.digest, "size": blob.size, "damage": blob.damage}


def _decode(stored: Json) -> BlobCondition:
    raise ValueError(f"a blob is no resource of the API: {stored}")


BLOB: Final = Kind(
    name="blob",
    verbs=("damaged", "healed"),
    schemas={1: frozenset({"digest", "size", "damage"})},
    encode=_encode,
    decode=_decode,
)

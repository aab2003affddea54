"""How notes stand in the log."""

from typing import Final

from modelyard_server.log.kinds import Kind
from modelyard_server.log.snapshots import COMMON, common, common_from
from modelyard_server.log.values import Json
from tests.toy.values import Note, NoteName


def encode(note: Note) -> Json:
    return {**common(note, note.name), "text": note.text}


def decode(stored: Json) -> Note:
    return Note(**common_from(stored), name=NoteName.parse(stored["name"]), text=stored.get("text", ""))


NOTE: Final = Kind(
    name="note",
    verbs=("created", "expired"),
    removals=("expired",),
    schemas={1: COMMON | {"text"}},
    encode=encode,
    decode=decode,
)

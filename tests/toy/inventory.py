"""What `fsck` reads of notes."""

from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Row, literal, select

from modelyard_server.db.inspection import Every
from modelyard_server.log.inventory import Family, Logged, logged, with_last_event
from modelyard_server.registry.namespaces.tables import namespaces
from tests.toy.events import NOTE
from tests.toy.repository import EVERY, from_row
from tests.toy.tables import notes
from tests.toy.values import NoteName

_NAME: Final[ColumnElement[str]] = literal("namespaces/") + namespaces.c.id + "/notes/" + notes.c.id


class NoteRecord(NamedTuple):
    name: str
    logged: Logged


def _note(row: Row[Any]) -> NoteRecord:
    note = from_row(row)
    return NoteRecord(str(note.name), logged(row, NOTE, note))


NOTES: Final = Every(with_last_event(EVERY, NOTE, _NAME, namespaces.c.key), notes.c.key, _note, notes.name)


def _ids(name: str) -> tuple[object, ...]:
    return (NoteName.parse(name).note,)


FAMILY: Final = Family(
    NOTE,
    _ids,
    (notes.c.id,),
    select(_NAME).select_from(notes).join(namespaces, namespaces.c.key == notes.c.namespace_key),
    namespaces.c.key,
)

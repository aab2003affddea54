"""Rows of notes."""

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Select, delete, insert, select

from modelyard.core.names import NamespaceName
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.registry.namespaces.tables import namespaces
from tests.toy.tables import notes
from tests.toy.values import Note, NoteName

EVERY: Final[Select[Any]] = select(notes, namespaces.c.id.label("namespace_id")).join(
    namespaces, namespaces.c.key == notes.c.namespace_key
)


def from_row(row: Row[Any]) -> Note:
    return Note(
        uid=row.uid,
        create_time=row.create_time,
        update_time=row.create_time,
        key=row.key,
        name=NoteName(NamespaceName(row.namespace_id), row.id),
        text=row.text,
    )


class NoteRepository:
    def __init__(self, transaction: Transaction) -> None:
        self._connection = transaction.connection

    async def add(self, note: Note, namespace_key: int) -> Note:
        values = {"namespace_key": namespace_key, "id": note.name.note, "text": note.text}
        values |= {"uid": note.uid, "create_time": note.create_time}
        key = await self._connection.scalar(insert(notes).values(values).returning(notes.c.key))
        return replace(note, key=key)

    async def find(self, name: NoteName) -> Note | None:
        query = EVERY.where(namespaces.c.id == name.namespace.namespace, notes.c.id == name.note)
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else from_row(row)

    async def older(self, moment: datetime) -> list[tuple[int, Note]]:
        """Each with the key of its namespace."""
        rows = await self._connection.execute(EVERY.where(notes.c.create_time < moment))
        return [(row.namespace_key, from_row(row)) for row in rows]

    async def remove(self, note: Note) -> None:
        await self._connection.execute(delete(notes).where(notes.c.key == note.key))

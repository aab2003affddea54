"""NotesService."""

from typing import Any

from modelyard.core.names import NamespaceName
from modelyard_server.calls import parsing
from modelyard_server.calls.call import Call
from modelyard_server.calls.parsing import Collector
from tests.toy import contract
from tests.toy.service import Notes
from tests.toy.values import Note, NoteName


class NotesServicer:
    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    async def CreateNote(self, request: Any, call: Call) -> Any:  # noqa: N802 (as the contract)
        collector = Collector()
        parent = collector.parse("parent", NamespaceName.parse, request.parent)
        collector.require("note_id", request.note_id)
        attempt = parsing.attempt(call, request, collector)
        collector.raise_any()
        assert parent is not None
        return _message(await self._notes.create(attempt, NoteName(parent, request.note_id), request.text))

    async def GetNote(self, request: Any, call: Call) -> Any:  # noqa: N802 (as the contract)
        return _message(await self._notes.get(call.caller, parsing.one("name", NoteName.parse, request.name)))


def _message(note: Note) -> Any:
    return contract.Note(name=str(note.name), text=note.text)

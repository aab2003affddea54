"""Notes: create, read."""

from dataclasses import dataclass
from typing import Final

from modelyard_server.calls.caller import Attempt, Caller
from modelyard_server.calls.errors import NotFound
from modelyard_server.calls.resource import new_uid
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.log.changes import Mutations
from modelyard_server.log.outcomes import SnapshotOutcomes
from modelyard_server.registry import lookup
from tests.toy.events import NOTE
from tests.toy.repository import NoteRepository
from tests.toy.values import Note, NoteName

_OUTCOMES: Final = SnapshotOutcomes(NOTE)


@dataclass(frozen=True, slots=True)
class Notes:
    mutations: Mutations

    async def create(self, attempt: Attempt, name: NoteName, text: str) -> Note:
        async def work(transaction: Transaction) -> Note:
            namespace = await lookup.namespace(transaction, name.namespace)
            now = self.mutations.clock()
            note = Note(uid=new_uid(), create_time=now, update_time=now, name=name, text=text)
            added = await NoteRepository(transaction).add(note, namespace.key)
            self.mutations.record(transaction, attempt, namespace.key, NOTE, "created", after=added)
            return added

        return await self.mutations.run(attempt, work, _OUTCOMES)

    async def get(self, caller: Caller, name: NoteName) -> Note:  # noqa: ARG002 (for permissions)
        found = await self.mutations.database.look(lambda transaction: NoteRepository(transaction).find(name))
        if found is None:
            raise NotFound(f"there is no note {name}", reason="MODEL_NOT_FOUND", kind="Note", name=str(name))
        return found

"""Removes notes that are older than a day."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from modelyard_server.calls.caller import SYSTEM, Attempt
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.log.changes import Mutations
from tests.toy.events import NOTE
from tests.toy.repository import NoteRepository

_AGE: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ForgetNotes:
    mutations: Mutations

    async def __call__(self) -> int:
        attempt = Attempt(caller=SYSTEM, method="ForgetNotes", payload_hash="")

        async def work(transaction: Transaction) -> int:
            repository = NoteRepository(transaction)
            old = await repository.older(self.mutations.clock() - _AGE)
            for namespace_key, note in old:
                await repository.remove(note)
                self.mutations.record(transaction, attempt, namespace_key, NOTE, "expired", before=note)
            return len(old)

        return await self.mutations.database.write(work)

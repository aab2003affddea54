"""A capability outside the server's package: notes on a namespace, which are swept away after a day."""

from pathlib import Path
from typing import Final

from modelyard_server.capability import Capability, Parts, Running, Sweep
from modelyard_server.log.changes import Mutations
from tests.toy import contract, inventory
from tests.toy.checks import check
from tests.toy.events import NOTE
from tests.toy.service import Notes
from tests.toy.servicer import NotesServicer
from tests.toy.sweeps import ForgetNotes
from tests.toy.tables import notes


def _build(parts: Parts) -> Running:
    service = Notes(Mutations(parts.database, parts.clock, parts.limits))
    return Running(servicers=[NotesServicer(service)], sweeps=[Sweep("notes", ForgetNotes(service.mutations))])


CAPABILITY: Final = Capability(
    name="toy",
    tables=[notes],
    services=[contract.SERVICE],
    offers=[NOTE, inventory.FAMILY],
    checks=[check],
    migrations=Path(__file__).with_name("migrations"),
    build=_build,
)

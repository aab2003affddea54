"""Whether notes are as the log says."""

from modelyard_server.checking.look import Look
from modelyard_server.log.checks import compare
from tests.toy import inventory


async def check(look: Look) -> None:
    async for note in look.each("notes", inventory.NOTES):
        compare(look, note.name, note.logged)

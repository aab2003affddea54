"""The journals that a killed push leaves for the next one."""

from pathlib import Path

from modelyard._connection import Connection
from modelyard._transfer.destination import Destination
from modelyard._transfer.journal import Journal
from modelyard._transfer.limits import get_limits
from modelyard._transfer.local_files import LocalFile
from modelyard._transfer.progress import Meter


async def note_upload(connection: Connection, parent: str, file: LocalFile, state_dir: Path, upload: str) -> None:
    """Notes in the journal that a file is on its way in an upload."""
    journal = Journal(state_dir)
    journal.prepare()
    limits = await get_limits(connection)
    destination = Destination(connection, parent, limits, journal, Meter(None, "upload", file.size))
    async with destination.journal_entry(file) as entry:
        entry.write(upload)

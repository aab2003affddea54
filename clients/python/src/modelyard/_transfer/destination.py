"""Where a push goes, and what its files share on the way."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from modelyard._connection import Connection
from modelyard._transfer.journal import Entry, Journal
from modelyard._transfer.local_files import LocalFile
from modelyard._transfer.progress import Meter
from modelyard.v1 import artifacts_pb2 as pb


@dataclass(slots=True)
class Destination:
    connection: Connection
    parent: str
    """``namespaces/{namespace}``."""
    limits: pb.ArtifactLimits
    journal: Journal
    meter: Meter
    bytes_sent: int = 0
    """Data handed to the network, that which had to be sent again included."""

    def journal_entry(self, file: LocalFile, start: int = 0, size: int = -1) -> AbstractAsyncContextManager[Entry]:
        """What the journal knows of the upload of a file, or of a part of it, in this very state, to this place."""
        return self.journal.entry(self.connection.server, self.parent, str(file.source), *file.stamp, start, size)

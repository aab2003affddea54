"""The record of a registry that answered."""

from dataclasses import dataclass
from datetime import datetime

from modelyard.core.record import Record, readable


@readable
@dataclass(frozen=True, slots=True, kw_only=True)
class Status(Record):
    """A registry that answered."""

    url: str
    """The address, as the client uses it."""
    server_version: str
    """The release of the server that answered."""
    caller: str
    """Who the registry takes this client for: the actor of its events."""
    serve_time: datetime
    """The server's time at the answer."""
    latency: float
    """Seconds from the call to its answer, with what it took to connect."""

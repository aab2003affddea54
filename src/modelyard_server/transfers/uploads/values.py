"""Upload sessions."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from modelyard.core.names import UploadName


class UploadState(Enum):
    OPEN = "OPEN"
    COMMITTED = "COMMITTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A session that turns a stream into one blob."""

    name: UploadName
    size: int
    digest: str
    """Empty until declared."""
    state: UploadState
    generation: str
    """Generation of its blob. It is the same on each try, so that a crash between two steps leaves one file."""
    epoch: int
    """Number of writers so far. Only the last one may write."""
    create_time: datetime
    expire_time: datetime
    persisted_size: int = 0
    rehashed_size: int = 0
    """Bytes that are read again so far, while a writer has that done. Else 0."""

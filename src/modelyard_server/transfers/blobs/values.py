"""Bytes by their name."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BlobRef:
    """Bytes by their name, as a caller gives it."""

    digest: str
    size: int

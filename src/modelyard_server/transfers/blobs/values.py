"""References to blobs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BlobRef:
    """A digest and a size, as a caller gives them."""

    digest: str
    size: int

"""What is known of the hashes of uploads that nobody writes at the moment.

The state of a sha256 cannot be stored: hashlib does not give it away. But the object itself can wait in memory for
the next writer, which then need not read again what is staged. After a restart of the server everything is read again,
once: an opening that is cut off in the middle of that goes on where it was.
"""

from collections import OrderedDict
from typing import Final, NamedTuple

from modelyard_server.blobs.hashing import Sha256

MAX_KEPT: Final = 4096
"""Uploads. A state takes some hundred bytes."""


class HashedPrefix(NamedTuple):
    """The hash of the first ``size`` bytes of an upload."""

    hash: Sha256
    size: int


class HashedPrefixes:
    """The prefixes that were hashed last, by upload. For the event loop alone."""

    def __init__(self, limit: int = MAX_KEPT) -> None:
        self._limit = limit
        self._kept: OrderedDict[str, tuple[HashedPrefix, int]] = OrderedDict()

    def keep(self, upload: str, prefix: HashedPrefix, epoch: int) -> None:
        """Keeps what the writer of an epoch has hashed. The one that was kept for the longest time makes room."""
        self._kept[upload] = prefix, epoch
        self._kept.move_to_end(upload)
        if len(self._kept) > self._limit:
            self._kept.popitem(last=False)

    def take(self, upload: str, epoch: int) -> HashedPrefix | None:
        """What the writer of the epoch before has hashed. After any other, nobody knows what is staged now."""
        prefix, before = self._kept.pop(upload, (None, 0))
        return prefix if before == epoch - 1 else None

    def drop(self, upload: str) -> None:
        self._kept.pop(upload, None)

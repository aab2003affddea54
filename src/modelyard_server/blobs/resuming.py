"""The hashes of uploads without a writer.

They wait in memory for the next writer, which then reads nothing again. Another process takes up the state that is in
the upload's mark, and reads only what was staged after it; see ``staging``.
"""

from collections import OrderedDict
from typing import Final, NamedTuple

from modelyard_server.blobs.sha256 import Sha256

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

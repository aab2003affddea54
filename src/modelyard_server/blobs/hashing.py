"""Checksums. Call them only in worker threads: a MiB of sha256 on the event loop delays every other call."""

import hashlib

import google_crc32c

from modelyard_server.blobs.store import Chunk


class Sha256:
    """A running sha256."""

    def __init__(self) -> None:
        self._state = hashlib.sha256()

    def update(self, data: bytes) -> None:
        self._state.update(data)

    @property
    def digest(self) -> str:
        """The digest of all data so far: ``sha256:`` and 64 hexadecimal digits."""
        return f"sha256:{self._state.hexdigest()}"


def crc32c(data: bytes) -> int:
    value: int = google_crc32c.value(data)
    return value


def checksummed(data: bytes) -> Chunk:
    return Chunk(data, crc32c(data))


def is_damaged(chunk: Chunk) -> bool:
    """Whether the crc32c of a chunk is wrong."""
    return chunk.crc32c is not None and chunk.crc32c != crc32c(chunk.data)

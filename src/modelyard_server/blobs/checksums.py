"""Checksums of chunks. Call them only in worker threads."""

import google_crc32c

from modelyard_server.blobs.store import Chunk


def crc32c(data: bytes) -> int:
    value: int = google_crc32c.value(data)
    return value


def checksummed(data: bytes) -> Chunk:
    return Chunk(data, crc32c(data))


def is_damaged(chunk: Chunk) -> bool:
    """Whether the crc32c of a chunk is wrong."""
    return chunk.crc32c is not None and chunk.crc32c != crc32c(chunk.data)

"""Bytes to store, and the usual ways to store them and to get them back."""

import asyncio
import hashlib
import random
from collections.abc import Sequence
from contextlib import aclosing
from uuid import uuid4

import google_crc32c

from modelyard_server.blobs.store import BlobKey, BlobStore, BlobWriter, Chunk

KIB = 1 << 10
MIB = 1 << 20


def some_bytes(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def new_upload() -> str:
    return str(uuid4())


def key_of(data: bytes) -> BlobKey:
    """A publication of ``data``, of a generation of its own."""
    return BlobKey(f"sha256:{hashlib.sha256(data).hexdigest()}", uuid4().hex, len(data))


def chunks_of(data: bytes, size: int = 256 * KIB) -> list[Chunk]:
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    return [Chunk(part, google_crc32c.value(part)) for part in parts]


async def finish(writer: BlobWriter, data: bytes, key: BlobKey) -> None:
    """Sends what of ``data`` the writer lacks, four chunks at a time, and publishes it."""
    missing = chunks_of(data[writer.position :])
    for start in range(0, len(missing), 4):
        await writer.append(missing[start : start + 4])
    await writer.publish(key, field="digest")


async def store_bytes(store: BlobStore, data: bytes, key: BlobKey | None = None) -> BlobKey:
    """Uploads ``data`` from beginning to end."""
    upload, key = new_upload(), key or key_of(data)
    writer = await store.open_writer(upload, epoch=1)
    try:
        await finish(writer, data, key)
    finally:
        await writer.close()
    await store.discard(upload)
    return key


async def read_chunks(
    store: BlobStore, key: BlobKey, offset: int = 0, limit: int | None = None, chunk_bytes: int = 256 * KIB
) -> list[Chunk]:
    limit = key.size - offset if limit is None else limit
    async with aclosing(store.read(key, offset=offset, limit=limit, chunk_bytes=chunk_bytes)) as batches:
        return [chunk async for batch in batches for chunk in batch]


def joined(chunks: Sequence[Chunk]) -> bytes:
    return b"".join(chunk.data for chunk in chunks)


async def read_bytes(store: BlobStore, key: BlobKey) -> bytes:
    return joined(await read_chunks(store, key))


async def cancel_after(steps: int, task: asyncio.Task[None]) -> None:
    """Cancels a task after so many turns of the event loop, and waits for its end."""
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait((task,))
    if not task.cancelled():
        task.result()

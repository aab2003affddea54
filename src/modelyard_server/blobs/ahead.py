"""Reads a blob in worker threads while the last batch is being sent, as far as memory allows."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from modelyard_server.blobs.budget import Budget
from modelyard_server.blobs.checksums import checksummed
from modelyard_server.blobs.reading import BATCH_BYTES, BlobReader
from modelyard_server.blobs.store import Chunk
from modelyard_server.blobs.workers import Workers, outlast
from modelyard_server.calls.errors import RegistryError

LEAST_BYTES: Final = 64 << 10
"""Bytes of a batch while the budget is spent. Hundreds of slow readers are then served with a few MiB."""


class _Ahead(NamedTuple):
    """A batch that is being read, and the bytes that the budget granted for it."""

    granted: int
    batch: asyncio.Future[list[Chunk]]


async def read_ahead(reader: BlobReader, workers: Workers, budget: Budget) -> AsyncGenerator[Sequence[Chunk], None]:
    """The batches of a reader. Between two batches it holds at most two of them, and one if the budget is spent."""
    ahead: _Ahead | None = _start(reader, workers, budget)
    sent = 0
    try:
        while ahead is not None:
            batch = await outlast(ahead.batch)
            sent, ahead = ahead.granted, None
            if not reader.exhausted and not budget.spent:
                ahead = _start(reader, workers, budget)
            if batch:
                yield batch
            del batch
            budget.give(sent)
            sent = 0
            if ahead is None and not reader.exhausted:
                ahead = _start(reader, workers, budget)
    finally:
        budget.give(sent)
        if ahead is not None:
            budget.give(ahead.granted)
            await outlast(_abandon(reader, ahead, workers))
        elif not reader.exhausted:
            await workers.run(reader.close)


def _start(reader: BlobReader, workers: Workers, budget: Budget) -> _Ahead:
    granted = budget.take(min(BATCH_BYTES, reader.left), LEAST_BYTES)
    return _Ahead(granted, workers.start(_batch, reader, granted))


def _batch(reader: BlobReader, size: int) -> list[Chunk]:
    return [checksummed(data) for data in reader.batch(size)]


async def _abandon(reader: BlobReader, ahead: _Ahead, workers: Workers) -> None:
    """Closes a reader after its pending batch."""
    with suppress(RegistryError):  # its caller is gone
        await ahead.batch
    await workers.run(reader.close)

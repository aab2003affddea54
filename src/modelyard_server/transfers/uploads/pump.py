"""Writes the stream of an upload to the store."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from modelyard.core.names import UploadName
from modelyard_server.blobs.budget import Budget
from modelyard_server.blobs.store import BlobWriter, Chunk
from modelyard_server.calls.errors import FieldViolation, InvalidArgument, invalid, offset_mismatch
from modelyard_server.transfers.uploads.values import Upload

# Bytes that one thread hop hashes and writes, while as many are received. Half and double were slower.
_BATCH_BYTES: Final = 4 << 20
# The objects that hold a chunk, beside its bytes: a batch of chunks of one byte must not take a hundred times as much.
_CHUNK_OVERHEAD: Final = 256


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of an upload's stream."""

    upload: UploadName | None
    offset: int
    data: bytes
    crc32c: int | None
    finish: bool
    digest: str


class Pump:
    """The live writer of one upload. It receives a batch while the previous one is hashed and written."""

    def __init__(self, upload: Upload, writer: BlobWriter, received: Budget) -> None:
        """``received`` is what all uploads of the server may hold in memory."""
        self.upload = upload
        self.writer = writer
        self._expected = writer.position
        self._batch: list[Chunk] = []
        self._batch_bytes = 0
        self._received = received
        self._writing: asyncio.Task[None] | None = None
        self._writing_bytes = 0
        self._clock = asyncio.get_running_loop().time
        self._moved = self._clock()

    def idle(self) -> float:
        """Seconds since it last received data."""
        return self._clock() - self._moved

    async def run(self, first: Frame, frames: AsyncIterator[Frame]) -> Frame | None:
        """Stages all data. Returns the frame with ``finish``, or None if the stream ended without one."""
        try:
            await self._take(first)
            if first.finish:
                return first
            async for frame in frames:
                await self._take(frame)
                if frame.finish:
                    return frame
            return None
        finally:
            # Also after a broken stream, so that the client need not send received bytes again.
            await self._flush()
            await self._written()

    async def _take(self, frame: Frame) -> None:
        self._moved = self._clock()
        if frame.upload is not None and frame.upload != self.upload.name:
            raise invalid("upload", f"the stream began with {self.upload.name}. Use one stream per upload.")
        if frame.offset != self._expected:
            raise offset_mismatch(frame.offset, self._expected)
        if self._expected + len(frame.data) > self.upload.size:
            arrived = self._expected + len(frame.data)
            text = f"the upload was started for {self.upload.size} bytes, but {arrived} have arrived"
            raise InvalidArgument(
                [FieldViolation("data", text)],
                reason="SIZE_MISMATCH",
                metadata={"expected": str(self.upload.size), "actual": str(arrived)},
            )
        self._expected += len(frame.data)
        if frame.data:
            size = len(frame.data) + _CHUNK_OVERHEAD
            self._received.take(size, size)
            self._batch.append(Chunk(frame.data, frame.crc32c))
            self._batch_bytes += size
            if self._batch_bytes >= _BATCH_BYTES or self._received.spent:
                await self._flush()

    async def _flush(self) -> None:
        await self._written()
        if self._batch:
            self._writing = asyncio.create_task(self.writer.append(self._batch))
            self._writing_bytes = self._batch_bytes
            self._batch, self._batch_bytes = [], 0

    async def _written(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            try:
                await writing
            except BaseException:
                # Data after the failed batch is dropped. The client sends it again.
                self._received.give(self._batch_bytes)
                self._batch, self._batch_bytes = [], 0
                raise
            finally:
                self._received.give(self._writing_bytes)

    async def close(self) -> None:
        await self.writer.close()

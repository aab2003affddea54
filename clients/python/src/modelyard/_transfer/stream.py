"""One blob into one upload, over as many streams as it takes."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing, suppress
from typing import Final
from uuid import uuid4

import grpc

from modelyard._transfer.checksums import crc32c
from modelyard._transfer.destination import Destination
from modelyard._transfer.journal import Entry
from modelyard._transfer.outcome import Outcome
from modelyard._transfer.reader import BATCH_BYTES, FILE_CHANGED, Reader, hash_up_to
from modelyard._transfer.retries import Backoff
from modelyard._transfer.silence import PROGRESS, Silence, bounded, too_slow
from modelyard._transfer.threads import in_thread, read_ahead
from modelyard.core.names import UploadName
from modelyard.errors import BadAnswerError, ModelyardError, NotFoundError, UnavailableError, VerificationError
from modelyard.v1 import artifacts_pb2 as pb
from modelyard.v1.artifacts_pb2_grpc import ArtifactsServiceStub

_FINISH: Final = 120.0
"""Seconds that publishing may take, and as many again for each …"""
_FINISH_BYTES: Final = 8 * 1024**3


async def send_blob(destination: Destination, reader: Reader, entry: Entry) -> str:
    """Uploads what the reader reads; the digest of what is stored then, hashed on this machine.

    A broken stream goes on where the server says, after a pause; so does an upload that the journal's entry names.
    Raises ``VerificationError`` if the server got other bytes, ``ConflictError`` if the file changed meanwhile.
    """
    return await _Sender(destination, reader, entry).run()


class _Sender:
    def __init__(self, destination: Destination, reader: Reader, entry: Entry) -> None:
        self._destination = destination
        self._connection = destination.connection
        self._reader = reader
        self._entry = entry
        self._backoff = Backoff(PROGRESS)
        self._upload = ""
        self._request_id = str(uuid4())
        self._counted = 0
        self._resumed = False

    async def run(self) -> str:
        self._upload = await in_thread(self._entry.read)
        self._resumed = bool(self._upload)
        while True:
            try:
                if await self._attempt():
                    break
                self._start_anew()
            except NotFoundError as error:
                if not self._upload:
                    raise
                self._start_anew()
                await self._backoff.pause(UnavailableError(error.message, reason=error.reason))
            except ModelyardError as error:
                await self._give_up_or_pause(error)
        self._count(self._reader.size)
        return self._reader.digest

    async def _attempt(self) -> bool:
        """Whether the blob is stored; if not, the upload that a journal remembered is of no use."""
        upload = await (self._look_up() if self._upload else self._start())
        if upload.state != pb.Upload.STATE_COMMITTED:
            upload = await self._stream(upload)
        if upload.state != pb.Upload.STATE_COMMITTED:
            raise UnavailableError("the registry ended the stream before all bytes were sent", reason="STREAM_ENDED")
        await hash_up_to(self._reader, self._reader.size)
        await in_thread(self._reader.check_unchanged)
        digest = self._reader.digest
        if upload.blob.digest == digest:
            return True
        if self._resumed:
            return False
        raise VerificationError(
            f"the registry says that it stored {upload.blob.digest[:80]!r} for {self._reader.file.path!r}, but the"
            f" bytes are {digest}",
            reason="DIGEST_MISMATCH",
            metadata={"expected": digest, "actual": upload.blob.digest},
        )

    async def _start(self) -> pb.Upload:
        request = pb.StartUploadRequest(
            parent=self._destination.parent,
            size_bytes=self._reader.size,
            digest=self._reader.known_digest,
            request_id=self._request_id,
        )
        upload = await self._connection.call(self._connection.stub(ArtifactsServiceStub).StartUpload, request)
        try:
            UploadName.parse(upload.name)
        except ValueError as error:
            raise BadAnswerError(
                f"the registry started an upload without a name: {error}", reason="BAD_ANSWER"
            ) from None
        self._upload = upload.name
        await in_thread(self._entry.write, upload.name)
        return upload

    async def _look_up(self) -> pb.Upload:
        request = pb.GetUploadRequest(name=self._upload)
        return await self._connection.call(self._connection.stub(ArtifactsServiceStub).GetUpload, request)

    def _start_anew(self) -> None:
        self._upload = ""
        self._request_id = str(uuid4())
        self._resumed = False

    async def _give_up_or_pause(self, error: ModelyardError) -> None:
        if isinstance(error, VerificationError):
            await in_thread(self._entry.remove)
            # The likelier and the more helpful explanation first: the file was written to under our hands.
            await in_thread(self._reader.check_unchanged)
        if error.reason == FILE_CHANGED:
            await self._discard()
        await self._backoff.pause(error)

    async def _discard(self) -> None:
        """What was sent can't become the file any more; the server need not keep it until it expires."""
        await in_thread(self._entry.remove)
        if self._upload:
            with suppress(ModelyardError):
                request = pb.CancelUploadRequest(name=self._upload)
                await self._connection.call(self._connection.stub(ArtifactsServiceStub).CancelUpload, request)

    async def _stream(self, upload: pb.Upload) -> pb.Upload:
        offset = upload.persisted_size
        if not 0 <= offset <= self._reader.size:
            raise BadAnswerError(
                f"the registry says that it has {offset} of {self._reader.size} bytes of {self._reader.file.path!r}",
                reason="BAD_ANSWER",
            )
        self._backoff.reached(offset)
        self._count(offset)
        await hash_up_to(self._reader, offset)
        write = self._connection.stub(ArtifactsServiceStub).WriteBlob
        try:
            async with self._connection.stream(write) as call, bounded(self._rehashed) as silence:
                outcome = Outcome(call)
                # A write fails if the server answers before the end; only the answer tells why.
                with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                    await self._write(call, offset, silence)
                return await outcome.get()
        except TimeoutError:
            raise too_slow("takes no data") from None

    async def _rehashed(self) -> int:
        upload = await self._look_up()
        return min(upload.rehashed_size, upload.persisted_size, self._reader.size)

    async def _write(
        self,
        call: "grpc.aio.StreamUnaryCall[pb.WriteBlobRequest, pb.Upload]",
        offset: int,
        silence: Silence,
    ) -> None:
        async with aclosing(read_ahead(self._messages(offset))) as batches:
            async for batch in batches:
                for message, size in batch:
                    silence.moved()
                    await call.write(message)
                    offset += size
                    self._destination.bytes_sent += size
                    self._count(offset)
        await in_thread(self._reader.check_unchanged)
        silence.moved(_FINISH * (1 + offset // _FINISH_BYTES))
        await call.write(
            pb.WriteBlobRequest(upload=self._upload, write_offset=offset, finish_write=True, digest=self._reader.digest)
        )
        await call.done_writing()

    def _messages(self, offset: int) -> Callable[[], list[tuple[pb.WriteBlobRequest, int]] | None]:
        """A step that reads, hashes and wraps one batch, with the size of each message's data."""
        limits = self._destination.limits
        chunk = limits.preferred_chunk_bytes or limits.max_chunk_bytes
        reader, upload = self._reader, self._upload

        def step() -> list[tuple[pb.WriteBlobRequest, int]] | None:
            nonlocal offset
            batch = []
            end = min(offset + BATCH_BYTES, reader.size)
            while offset < end:
                data = reader.read(offset, min(chunk, end - offset))
                message = pb.WriteBlobRequest(
                    upload=upload, write_offset=offset, data=data, crc32c=crc32c(data) if crc32c else None
                )
                batch.append((message, len(data)))
                offset += len(data)
            return batch or None

        return step

    def _count(self, position: int) -> None:
        """Progress never runs backwards, though a stream may have to go back."""
        if position > self._counted:
            self._destination.meter.add(self._reader.file.path, position - self._counted)
            self._counted = position

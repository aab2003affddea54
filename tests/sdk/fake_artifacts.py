# ruff: noqa: N802, ARG002 - the contract names the methods and hands each a context
"""The contract of ArtifactsService in memory, over a real channel, with faults to order."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from uuid import uuid4

import google_crc32c
import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from modelyard._config import endpoint
from modelyard._connection import Connection
from modelyard.core.manifest import File
from modelyard.v1 import artifacts_pb2 as pb
from modelyard.v1 import artifacts_pb2_grpc
from modelyard.v1.resources_pb2 import Blob

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

MIB = 1024**2


def digest_of(data: bytes | bytearray) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def file_of(path: str, data: bytes) -> File:
    return File(path=path, size=len(data), digest=digest_of(data))


@dataclass
class StoredUpload:
    size: int
    digest: str
    data: bytearray = field(default_factory=bytearray)
    committed: bool = False


@dataclass
class Pause:
    """Where streams stand still until they are released."""

    at: int
    """In bytes of an upload or a file."""
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self, position: int) -> bool:
        """Whether the stream had to wait."""
        if position <= self.at or self.released.is_set():
            return False
        self.reached.set()
        return await self.released.wait()


@dataclass
class Faults:
    """What is to go wrong. Each list is used up from its front, one entry a stream."""

    break_writes_at: list[int] = field(default_factory=list)
    """Ends a write stream with UNAVAILABLE once so many bytes of the upload arrived."""
    forget_on_break: int = 0
    """How many of these bytes are lost then."""
    corrupt_chunks: int = 0
    """How many chunks are said to be damaged."""
    deny: list[tuple[grpc.StatusCode, str]] = field(default_factory=list)
    """Ends a write stream so before it reads anything."""
    break_finish: int = 0
    """How often the answer to a finished upload is lost, though it is committed."""
    break_reads_at: list[int] = field(default_factory=list)
    """Ends a read stream with UNAVAILABLE before this offset of the file is passed."""
    rewrite: Callable[[pb.ReadFileResponse], pb.ReadFileResponse] | None = None
    """What an evil server sends instead of a message."""
    append: list[pb.ReadFileResponse] = field(default_factory=list)
    """What an evil server sends after the last message."""
    stop_reads_at: int | None = None
    """Where an evil server ends a read stream as if that were all."""
    break_batches: int = 0
    """How many batches of files are refused with UNAVAILABLE."""
    corrupt_batches: int = 0
    """How many files in batches are damaged on their way."""
    drop_items: bool = False
    """Whether an evil server leaves out the last file of a batch."""
    found_too_late: list[bytes] = field(default_factory=list)
    """What somebody else stores right after blobs were asked for."""
    rehashed: list[int] = field(default_factory=list)
    """How far the server says it has read again what it has, one answer of GetUpload each. Until all are asked for,
    streams take no data."""
    drip: float | None = None
    """Seconds after each message of a file."""
    pause_writes: Pause | None = None
    pause_reads: Pause | None = None
    on_write: Callable[[int], None] | None = None
    """Told how many bytes an upload has, while it goes on."""


class FakeArtifacts(artifacts_pb2_grpc.ArtifactsServiceServicer):
    def __init__(self) -> None:
        self.limits = pb.ArtifactLimits(
            max_blob_bytes=1024**4,
            max_chunk_bytes=64 * 1024,
            preferred_chunk_bytes=64 * 1024,
            max_batch_bytes=256 * 1024,
            max_batch_count=10,
            max_file_count=10_000,
            max_part_count=100,
            part_bytes=MIB,
            compose_threshold_bytes=0,
        )
        self.blobs: dict[str, bytes] = {}
        self.uploads: dict[str, StoredUpload] = {}
        self.files: dict[str, bytes] = {}
        """By path, whatever the version."""
        self.faults = Faults()
        self.all_rehashed = asyncio.Event()
        self.calls: Counter[str] = Counter()
        self.bytes_received = 0
        self.crcs_seen = 0
        self.declared_at_start: list[str] = []
        self.read_offsets: list[int] = []

    def store(self, data: bytes) -> str:
        self.blobs[digest_of(data)] = data
        return digest_of(data)

    async def GetArtifactLimits(self, request: pb.GetArtifactLimitsRequest, context: Context) -> pb.ArtifactLimits:
        self.calls["GetArtifactLimits"] += 1
        return self.limits

    async def FindMissingBlobs(
        self, request: pb.FindMissingBlobsRequest, context: Context
    ) -> pb.FindMissingBlobsResponse:
        self.calls["FindMissingBlobs"] += 1
        assert len(request.blobs) + len(request.sizes) <= self.limits.max_batch_count
        sizes = {len(data) for data in self.blobs.values()}
        response = pb.FindMissingBlobsResponse(
            missing_blobs=[blob for blob in request.blobs if blob.digest not in self.blobs],
            known_sizes=[size for size in request.sizes if size in sizes],
        )
        if request.blobs:
            for data in self.faults.found_too_late:
                self.store(data)
        return response

    async def BatchWriteBlobs(self, request: pb.BatchWriteBlobsRequest, context: Context) -> pb.BatchWriteBlobsResponse:
        self.calls["BatchWriteBlobs"] += 1
        assert len(request.items) <= self.limits.max_batch_count
        assert sum(len(item.data) for item in request.items) <= self.limits.max_batch_bytes
        response = pb.BatchWriteBlobsResponse()
        for item in request.items:
            self.bytes_received += len(item.data)
            result = response.results.add(blob=item.blob)
            if self.faults.corrupt_chunks:
                self.faults.corrupt_chunks -= 1
                result.status.CopyFrom(_status(grpc.StatusCode.ABORTED, "CHUNK_CORRUPT"))
            elif digest_of(item.data) != item.blob.digest:
                result.status.CopyFrom(_status(grpc.StatusCode.INVALID_ARGUMENT, "DIGEST_MISMATCH"))
            else:
                self.store(item.data)
        return response

    async def StartUpload(self, request: pb.StartUploadRequest, context: Context) -> pb.Upload:
        self.calls["StartUpload"] += 1
        self.declared_at_start.append(request.digest)
        name = f"{request.parent}/uploads/{uuid4()}"
        upload = StoredUpload(request.size_bytes, request.digest)
        if request.digest in self.blobs:
            upload.committed = True
        self.uploads[name] = upload
        return self._render(name)

    async def GetUpload(self, request: pb.GetUploadRequest, context: Context) -> pb.Upload:
        self.calls["GetUpload"] += 1
        if request.name not in self.uploads:
            await _abort(context, grpc.StatusCode.NOT_FOUND, "UPLOAD_NOT_FOUND")
        upload = self._render(request.name)
        if self.calls["WriteBlob"] and self.faults.rehashed:
            upload.rehashed_size = self.faults.rehashed.pop(0)
            if not self.faults.rehashed:
                self.all_rehashed.set()
        return upload

    async def ListUploads(self, request: pb.ListUploadsRequest, context: Context) -> pb.ListUploadsResponse:
        raise NotImplementedError

    async def CancelUpload(self, request: pb.CancelUploadRequest, context: Context) -> pb.CancelUploadResponse:
        self.calls["CancelUpload"] += 1
        self.uploads.pop(request.name, None)
        return pb.CancelUploadResponse()

    async def WriteBlob(self, requests: AsyncIterator[pb.WriteBlobRequest], context: Context) -> pb.Upload:
        self.calls["WriteBlob"] += 1
        if self.faults.deny:
            await _abort(context, *self.faults.deny.pop(0))
        limit = self.faults.break_writes_at.pop(0) if self.faults.break_writes_at else None
        if self.faults.rehashed:
            await self.all_rehashed.wait()
        name = ""
        async for request in requests:
            name = request.upload or name
            if name not in self.uploads:
                await _abort(context, grpc.StatusCode.NOT_FOUND, "UPLOAD_NOT_FOUND")
            upload = self.uploads[name]
            await self._append(upload, request, context)
            if limit is not None and len(upload.data) >= limit:
                del upload.data[len(upload.data) - self.faults.forget_on_break :]
                await _abort(context, grpc.StatusCode.UNAVAILABLE, "DRAINING")
            if request.finish_write:
                await self._finish(name, request.digest or upload.digest, context)
                if self.faults.break_finish:
                    self.faults.break_finish -= 1
                    await _abort(context, grpc.StatusCode.UNAVAILABLE, "DRAINING")
                return self._render(name)
        return self._render(name)

    async def _append(self, upload: StoredUpload, request: pb.WriteBlobRequest, context: Context) -> None:
        if request.write_offset != len(upload.data):
            await _abort(context, grpc.StatusCode.OUT_OF_RANGE, "OFFSET_MISMATCH")
        if request.data and request.HasField("crc32c"):
            self.crcs_seen += 1
            assert google_crc32c.value(request.data) == request.crc32c
        if request.data and self.faults.corrupt_chunks:
            self.faults.corrupt_chunks -= 1
            await _abort(context, grpc.StatusCode.ABORTED, "CHUNK_CORRUPT")
        assert len(request.data) <= self.limits.max_chunk_bytes
        upload.data += request.data
        self.bytes_received += len(request.data)
        if self.faults.on_write:
            self.faults.on_write(len(upload.data))
        if self.faults.pause_writes and await self.faults.pause_writes.wait(len(upload.data)):
            # Its client is gone. What is still in the buffers must not race with the next stream.
            await _abort(context, grpc.StatusCode.UNAVAILABLE, "DRAINING")

    async def _finish(self, name: str, digest: str, context: Context) -> None:
        upload = self.uploads[name]
        assert digest
        if len(upload.data) != upload.size or digest_of(upload.data) != digest:
            del self.uploads[name]
            await _abort(context, grpc.StatusCode.INVALID_ARGUMENT, "DIGEST_MISMATCH")
        upload.digest = self.store(bytes(upload.data))
        upload.committed = True

    def _render(self, name: str) -> pb.Upload:
        upload = self.uploads[name]
        return pb.Upload(
            name=name,
            blob=Blob(digest=upload.digest, size_bytes=upload.size),
            state=pb.Upload.STATE_COMMITTED if upload.committed else pb.Upload.STATE_OPEN,
            persisted_size=len(upload.data),
        )

    async def ComposeBlob(
        self, request: pb.ComposeBlobRequest, context: Context
    ) -> AsyncIterator[pb.ComposeBlobResponse]:
        self.calls["ComposeBlob"] += 1
        assert len(request.parts) <= self.limits.max_part_count
        data = b"".join(self.blobs[part.digest] for part in request.parts)
        assert digest_of(data) == request.blob.digest
        self.store(data)
        yield pb.ComposeBlobResponse(hashed_bytes=1)
        yield pb.ComposeBlobResponse(hashed_bytes=len(data), blob=request.blob)

    async def ReadFile(self, request: pb.ReadFileRequest, context: Context) -> AsyncIterator[pb.ReadFileResponse]:
        self.calls["ReadFile"] += 1
        self.read_offsets.append(request.read_offset)
        if request.path not in self.files:
            await _abort(context, grpc.StatusCode.NOT_FOUND, "FILE_NOT_FOUND")
        data = self.files[request.path]
        limit = self.faults.break_reads_at.pop(0) if self.faults.break_reads_at else None
        offset = request.read_offset
        while offset < len(data):
            if limit is not None and offset >= limit:
                await _abort(context, grpc.StatusCode.UNAVAILABLE, "DRAINING")
            if self.faults.stop_reads_at is not None and offset >= self.faults.stop_reads_at:
                return
            if self.faults.pause_reads:
                await self.faults.pause_reads.wait(offset)
            chunk = data[offset : offset + self.limits.max_chunk_bytes]
            message = pb.ReadFileResponse(offset=offset, data=chunk, crc32c=google_crc32c.value(chunk))
            yield self.faults.rewrite(message) if self.faults.rewrite else message
            offset += len(chunk)
            if self.faults.drip is not None:
                await asyncio.sleep(self.faults.drip)
        for message in self.faults.append:
            yield message

    async def BatchReadFiles(self, request: pb.BatchReadFilesRequest, context: Context) -> pb.BatchReadFilesResponse:
        self.calls["BatchReadFiles"] += 1
        assert len(request.paths) <= self.limits.max_batch_count
        if self.faults.break_batches:
            self.faults.break_batches -= 1
            await _abort(context, grpc.StatusCode.UNAVAILABLE, "DRAINING")
        items = []
        for path in request.paths:
            if path not in self.files:
                await _abort(context, grpc.StatusCode.NOT_FOUND, "FILE_NOT_FOUND")
            data = self.files[path]
            checksum = google_crc32c.value(data)
            if self.faults.corrupt_batches:
                self.faults.corrupt_batches -= 1
                data = data[:-1] + bytes([data[-1] ^ 1])
            items.append(pb.BatchReadFilesResponse.Item(data=data, crc32c=checksum))
        assert sum(len(item.data) for item in items) <= self.limits.max_batch_bytes
        if self.faults.drop_items:
            items.pop()
        return pb.BatchReadFilesResponse(items=items)


def _status(code: grpc.StatusCode, reason: str) -> status_pb2.Status:
    info = any_pb2.Any()
    info.Pack(error_details_pb2.ErrorInfo(reason=reason, domain="modelyard.dev"))
    return status_pb2.Status(code=code.value[0], message=f"{reason} to order", details=[info])


async def _abort(context: Context, code: grpc.StatusCode, reason: str) -> None:
    details = (("grpc-status-details-bin", _status(code, reason).SerializeToString()),)
    await context.abort(code, f"{reason} to order", details)


@asynccontextmanager
async def serve(servicer: FakeArtifacts) -> AsyncIterator[str]:
    """The URL of a server on loopback."""
    server = grpc.aio.server()
    artifacts_pb2_grpc.add_ArtifactsServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"grpc://127.0.0.1:{port}"
    finally:
        await server.stop(None)


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[Connection]:
    connection = Connection(endpoint(url, token=""))
    try:
        yield connection
    finally:
        await connection.close()

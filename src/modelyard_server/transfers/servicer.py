"""ArtifactsService: streams of messages to and from streams of bytes."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, TypeAlias

import google_crc32c
import grpc
from google.rpc import status_pb2

from modelyard import wire
from modelyard.core.limits import MAX_BLOB_BYTES, MAX_FILES
from modelyard.core.manifest import check_digest, check_path
from modelyard.core.names import NamespaceName, UploadName, VersionName
from modelyard.v1 import artifacts_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb
from modelyard.v1.artifacts_pb2_grpc import ArtifactsServiceServicer
from modelyard_server.calls import parsing, validation
from modelyard_server.calls.call import current
from modelyard_server.calls.errors import (
    DeadlineExceeded,
    FieldViolation,
    RegistryError,
    Unavailable,
    chunk_corrupt,
)
from modelyard_server.calls.limits import Limits
from modelyard_server.calls.parsing import Collector
from modelyard_server.registry import messages as convert
from modelyard_server.rpc import status
from modelyard_server.transfers.blobs.service import BlobRef, Blobs
from modelyard_server.transfers.downloads.service import Downloads
from modelyard_server.transfers.uploads.service import Frame, Uploads

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


def _corrupt(data: bytes, crc32c: int) -> bool:
    return bool(google_crc32c.value(data) != crc32c)


class ArtifactsServicer(ArtifactsServiceServicer):
    """Blobs and uploads."""

    def __init__(
        self,
        blobs: Blobs,
        uploads: Uploads,
        downloads: Downloads,
        limits: Limits,
        compose_threshold: int,
        draining: asyncio.Event,
    ) -> None:
        self._blobs = blobs
        self._uploads = uploads
        self._downloads = downloads
        self._limits = limits
        self._compose_threshold = compose_threshold
        self._draining = draining

    async def GetArtifactLimits(self, request: rpc.GetArtifactLimitsRequest, context: Context) -> rpc.ArtifactLimits:
        return rpc.ArtifactLimits(
            max_blob_bytes=MAX_BLOB_BYTES,
            max_chunk_bytes=self._limits.chunk_bytes,
            preferred_chunk_bytes=self._limits.preferred_chunk_bytes,
            max_batch_bytes=self._limits.batch_bytes,
            max_batch_count=self._limits.batch_count,
            max_file_count=MAX_FILES,
            max_part_count=self._limits.part_count,
            part_bytes=self._limits.part_bytes,
            compose_threshold_bytes=self._compose_threshold,
        )

    async def FindMissingBlobs(
        self, request: rpc.FindMissingBlobsRequest, context: Context
    ) -> rpc.FindMissingBlobsResponse:
        collector = Collector()
        parent = collector.parse("parent", NamespaceName.parse, request.parent)
        collector.add(self._counted("blobs", len(request.blobs), self._limits.batch_count))
        collector.add(self._counted("sizes", len(request.sizes), self._limits.batch_count))
        blobs = [parsing.blob(collector, f"blobs[{i}]", blob) for i, blob in enumerate(request.blobs)]
        for index, size in enumerate(request.sizes):
            collector.add(validation.size(f"sizes[{index}]", size))
        collector.raise_any()
        assert parent is not None
        found = await self._blobs.find_missing(parent, blobs, request.sizes)
        return rpc.FindMissingBlobsResponse(
            missing_blobs=[pb.Blob(digest=blob.digest, size_bytes=blob.size) for blob in found.missing],
            known_sizes=found.known_sizes,
            lease_expire_time=wire.timestamp(found.lease_expire_time),
        )

    @staticmethod
    def _counted(field: str, count: int, most: int) -> list[FieldViolation]:
        return [FieldViolation(field, f"has {count} entries; at most {most} are allowed")] if count > most else []

    async def BatchWriteBlobs(
        self, request: rpc.BatchWriteBlobsRequest, context: Context
    ) -> rpc.BatchWriteBlobsResponse:
        collector = Collector()
        parent = collector.parse("parent", NamespaceName.parse, request.parent)
        collector.require("items", request.items)
        collector.add(self._counted("items", len(request.items), self._limits.batch_count))
        # Read once: each access of a bytes field makes a copy.
        items = [
            (parsing.blob(collector, f"items[{i}].blob", item.blob), item.data, item)
            for i, item in enumerate(request.items)
        ]
        total = sum(len(data) for _, data, _ in items)
        if total > self._limits.batch_bytes:
            text = f"hold {total} bytes together; at most {self._limits.batch_bytes} fit, use StartUpload for more"
            collector.add([FieldViolation("items", text)])
        collector.raise_any()
        assert parent is not None
        errors: list[RegistryError | None] = [
            chunk_corrupt(0) if item.HasField("crc32c") and _corrupt(data, item.crc32c) else None
            for _, data, item in items
        ]
        intact = [index for index, error in enumerate(errors) if error is None]
        written = await self._blobs.write_batch(parent, [items[index][:2] for index in intact])
        for index, error in zip(intact, written, strict=True):
            errors[index] = error
        return rpc.BatchWriteBlobsResponse(
            results=[_result(blob, error) for (blob, _, _), error in zip(items, errors, strict=True)]
        )

    async def StartUpload(self, request: rpc.StartUploadRequest, context: Context) -> rpc.Upload:
        collector = Collector()
        parent = collector.parse("parent", NamespaceName.parse, request.parent)
        collector.add(validation.size("size_bytes", request.size_bytes))
        if request.digest:
            collector.parse("digest", check_digest, request.digest)
        attempt = parsing.attempt(request, collector)
        collector.raise_any()
        assert parent is not None
        return convert.upload(await self._uploads.start(attempt, parent, request.size_bytes, request.digest))

    async def WriteBlob(self, request_iterator: AsyncIterator[rpc.WriteBlobRequest], context: Context) -> rpc.Upload:
        async with aclosing(self._frames(request_iterator)) as frames:
            return convert.upload(await self._uploads.write(frames))

    async def _frames(self, requests: AsyncIterator[rpc.WriteBlobRequest]) -> AsyncGenerator[Frame, None]:
        call, now = current.get(), asyncio.get_running_loop().time
        deadline = now() + self._limits.stream_idle
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    request = await anext(requests, None)
            except TimeoutError:
                raise DeadlineExceeded(
                    f"no data arrived for {self._limits.stream_idle:.0f} s; ask GetUpload where to go on",
                    reason="STREAM_IDLE",
                ) from None
            if request is None:
                return
            self._check_draining()
            call.resource = call.resource or request.upload
            frame = self._frame(request)
            yield frame
            if frame.data:  # messages without any keep no stream alive
                deadline = now() + self._limits.stream_idle

    def _check_draining(self) -> None:
        """Ends a stream that would outlast the server; what has travelled stays, and the client goes on elsewhere."""
        if self._draining.is_set():
            raise Unavailable(
                "the server is shutting down; go on with another, or when it is back",
                reason="DRAINING",
                retry_after=1.0,
            )

    def _frame(self, request: rpc.WriteBlobRequest) -> Frame:
        collector = Collector()
        data = request.data  # once: each access makes a copy
        if len(data) > self._limits.chunk_bytes:
            text = f"is {len(data)} bytes long; at most {self._limits.chunk_bytes} fit into a message"
            collector.add([FieldViolation("data", text)])
        if not 0 <= request.write_offset <= MAX_BLOB_BYTES:
            collector.add([FieldViolation("write_offset", f"{request.write_offset} is no offset in a blob")])
        upload = collector.parse("upload", UploadName.parse, request.upload) if request.upload else None
        if request.digest:
            collector.parse("digest", check_digest, request.digest)
            if not request.finish_write:
                collector.add([FieldViolation("digest", "goes with finish_write")])
        collector.raise_any()
        return Frame(
            upload=upload,
            offset=request.write_offset,
            data=data,
            crc32c=request.crc32c if request.HasField("crc32c") else None,
            finish=request.finish_write,
            digest=request.digest,
        )

    async def GetUpload(self, request: rpc.GetUploadRequest, context: Context) -> rpc.Upload:
        return convert.upload(await self._uploads.get(parsing.one("name", UploadName.parse, request.name)))

    async def CancelUpload(self, request: rpc.CancelUploadRequest, context: Context) -> rpc.CancelUploadResponse:
        await self._uploads.cancel(parsing.one("name", UploadName.parse, request.name))
        return rpc.CancelUploadResponse()

    async def ComposeBlob(self, request: rpc.ComposeBlobRequest, context: Context) -> pb.Blob:
        collector = Collector()
        parent = collector.parse("parent", NamespaceName.parse, request.parent)
        whole = parsing.blob(collector, "blob", request.blob)
        collector.require("parts", request.parts)
        collector.add(self._counted("parts", len(request.parts), self._limits.part_count))
        parts = [parsing.blob(collector, f"parts[{index}]", part) for index, part in enumerate(request.parts)]
        collector.raise_any()
        assert parent is not None
        await self._blobs.compose(parent, whole, parts)
        return request.blob

    async def ReadFile(self, request: rpc.ReadFileRequest, context: Context) -> AsyncIterator[rpc.ReadFileResponse]:
        collector = Collector()
        version = collector.parse("version", VersionName.parse, request.version)
        which = request.WhichOneof("file")
        collector.require("path", which)
        if which is not None:
            collector.parse(which, check_path if which == "path" else check_digest, getattr(request, which))
        for field in ("read_offset", "read_limit"):
            if getattr(request, field) < 0:
                collector.add([FieldViolation(field, f"{getattr(request, field)} is negative")])
        collector.raise_any()
        assert version is not None
        batches = await self._downloads.read(
            version,
            path=request.path if which == "path" else None,
            digest=request.digest if which == "digest" else None,
            offset=request.read_offset,
            limit=request.read_limit,
        )
        offset = request.read_offset
        async with aclosing(batches):
            async for chunks in batches:
                self._check_draining()
                for chunk in chunks:
                    yield rpc.ReadFileResponse(offset=offset, data=chunk.data, crc32c=chunk.crc32c or 0)
                    offset += len(chunk.data)
        if offset == request.read_offset:
            yield rpc.ReadFileResponse(offset=offset)

    async def BatchReadFiles(self, request: rpc.BatchReadFilesRequest, context: Context) -> rpc.BatchReadFilesResponse:
        collector = Collector()
        version = collector.parse("version", VersionName.parse, request.version)
        collector.require("paths", request.paths)
        collector.add(self._counted("paths", len(request.paths), self._limits.batch_count))
        for index, path in enumerate(request.paths):
            collector.parse(f"paths[{index}]", check_path, path)
        if len(set(request.paths)) < len(request.paths):
            collector.add([FieldViolation("paths", "name a file twice")])
        collector.raise_any()
        assert version is not None
        contents = await self._downloads.read_batch(version, request.paths)
        return rpc.BatchReadFilesResponse(
            items=[
                rpc.BatchReadFilesResponse.Item(data=content.data, crc32c=content.crc32c or 0) for content in contents
            ]
        )


def _result(blob: BlobRef, error: RegistryError | None) -> rpc.BatchWriteBlobsResponse.Result:
    return rpc.BatchWriteBlobsResponse.Result(
        blob=pb.Blob(digest=blob.digest, size_bytes=blob.size),
        status=status_pb2.Status() if error is None else status.to_proto(error),
    )

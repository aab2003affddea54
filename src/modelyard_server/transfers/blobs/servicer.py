"""ArtifactsService: blobs."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import google_crc32c
from google.rpc import status_pb2

from modelyard import wire
from modelyard.core.limits import MAX_BLOB_BYTES, MAX_FILES
from modelyard.core.names import NamespaceName
from modelyard.v1 import artifacts_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.calls import status, validation
from modelyard_server.calls.call import Call
from modelyard_server.calls.errors import FieldViolation, RegistryError, chunk_corrupt
from modelyard_server.calls.limits import Limits
from modelyard_server.calls.offload import offload
from modelyard_server.calls.parsing import Collector
from modelyard_server.transfers.blobs.parsing import blob_ref
from modelyard_server.transfers.blobs.service import Blobs
from modelyard_server.transfers.blobs.values import BlobRef


def _corrupt(data: bytes, crc32c: int) -> bool:
    return bool(google_crc32c.value(data) != crc32c)


class BlobsServicer:
    """Finds the blobs of a namespace, stores small blobs, and joins large ones from parts."""

    def __init__(self, blobs: Blobs, limits: Limits, compose_threshold: int) -> None:
        self._blobs = blobs
        self._limits = limits
        self._compose_threshold = compose_threshold

    async def GetArtifactLimits(self, request: rpc.GetArtifactLimitsRequest, call: Call) -> rpc.ArtifactLimits:
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

    async def FindMissingBlobs(self, request: rpc.FindMissingBlobsRequest, call: Call) -> rpc.FindMissingBlobsResponse:
        parent, blobs = await offload(call.entries, self._wanted, request)
        found = await self._blobs.find_missing(call.caller, parent, blobs, request.sizes)
        return rpc.FindMissingBlobsResponse(
            missing_blobs=[pb.Blob(digest=blob.digest, size_bytes=blob.size) for blob in found.missing],
            known_sizes=found.known_sizes,
            lease_expire_time=wire.timestamp(found.lease_expire_time),
        )

    def _wanted(self, request: rpc.FindMissingBlobsRequest) -> tuple[NamespaceName, list[BlobRef]]:
        collector = Collector()
        parent = collector.parse("parent", NamespaceName.parse, request.parent)
        collector.add(validation.at_most("blobs", len(request.blobs), self._limits.batch_count))
        collector.add(validation.at_most("sizes", len(request.sizes), self._limits.batch_count))
        blobs = [blob_ref(collector, f"blobs[{i}]", blob) for i, blob in enumerate(request.blobs)]
        for index, size in enumerate(request.sizes):
            collector.add(validation.blob_size(f"sizes[{index}]", size))
        collector.raise_any()
        assert parent is not None
        return parent, blobs

    async def BatchWriteBlobs(self, request: rpc.BatchWriteBlobsRequest, call: Call) -> rpc.BatchWriteBlobsResponse:
        parent, items, errors = await offload(call.entries, self._batch, request)
        intact = [index for index, error in enumerate(errors) if error is None]
        written = await self._blobs.write_batch(call.caller, parent, [items[index] for index in intact])
        for index, error in zip(intact, written, strict=True):
            errors[index] = error
        return rpc.BatchWriteBlobsResponse(
            results=[_result(blob, error) for (blob, _), error in zip(items, errors, strict=True)]
        )

    def _batch(
        self, request: rpc.BatchWriteBlobsRequest
    ) -> tuple[NamespaceName, list[tuple[BlobRef, bytes]], list[RegistryError | None]]:
        """The blobs with their data, and the errors of those that did not arrive intact."""
        collector = Collector()
        parent = collector.parse("parent", NamespaceName.parse, request.parent)
        collector.require("items", request.items)
        collector.add(validation.at_most("items", len(request.items), self._limits.batch_count))
        # Read the field once: each access makes a copy.
        items = [
            (blob_ref(collector, f"items[{i}].blob", item.blob), item.data) for i, item in enumerate(request.items)
        ]
        total = sum(len(data) for _, data in items)
        if total > self._limits.batch_bytes:
            text = f"have {total} bytes in total; at most {self._limits.batch_bytes} are allowed. Use StartUpload."
            collector.add([FieldViolation("items", text)])
        collector.raise_any()
        assert parent is not None
        errors: list[RegistryError | None] = [
            chunk_corrupt(0) if item.HasField("crc32c") and _corrupt(data, item.crc32c) else None
            for item, (_, data) in zip(request.items, items, strict=True)
        ]
        return parent, items, errors

    async def ComposeBlob(
        self, request: rpc.ComposeBlobRequest, call: Call
    ) -> AsyncGenerator[rpc.ComposeBlobResponse, None]:
        parent, whole, parts = await offload(call.entries, self._joined, request)
        async with aclosing(self._blobs.compose(call.caller, parent, whole, parts)) as composing:
            async for hashed in composing:
                yield rpc.ComposeBlobResponse(hashed_bytes=hashed)
        yield rpc.ComposeBlobResponse(hashed_bytes=whole.size, blob=request.blob)

    def _joined(self, request: rpc.ComposeBlobRequest) -> tuple[NamespaceName, BlobRef, list[BlobRef]]:
        collector = Collector()
        parent = collector.parse("parent", NamespaceName.parse, request.parent)
        whole = blob_ref(collector, "blob", request.blob)
        collector.require("parts", request.parts)
        collector.add(validation.at_most("parts", len(request.parts), self._limits.part_count))
        parts = [blob_ref(collector, f"parts[{index}]", part) for index, part in enumerate(request.parts)]
        collector.raise_any()
        assert parent is not None
        return parent, whole, parts


def _result(blob: BlobRef, error: RegistryError | None) -> rpc.BatchWriteBlobsResponse.Result:
    return rpc.BatchWriteBlobsResponse.Result(
        blob=pb.Blob(digest=blob.digest, size_bytes=blob.size),
        status=status_pb2.Status() if error is None else status.to_proto(error),
    )

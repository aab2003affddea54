"""Small blobs, many in one message."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import NamedTuple

import grpc
from google.rpc import status_pb2

from modelyard._transfer.checksums import crc32c
from modelyard._transfer.destination import Destination
from modelyard._transfer.limits import batch_timeout
from modelyard._transfer.local_files import LocalFile
from modelyard._transfer.reader import Reader
from modelyard._transfer.retries import Backoff, is_interruption
from modelyard._transfer.threads import in_thread
from modelyard.errors import BadAnswerError, ModelyardError
from modelyard.v1 import artifacts_pb2 as pb
from modelyard.v1 import resources_pb2
from modelyard.v1.artifacts_pb2_grpc import ArtifactsServiceStub


class Unsent(NamedTuple):
    """A file to send, with its digest if that is known."""

    file: LocalFile
    digest: str = ""


async def send_batch(destination: Destination, batch: Sequence[Unsent]) -> list[str]:
    """Sends files whole; their digests, in the same order. What was damaged in flight is sent again."""
    items = await in_thread(lambda: [_item(unsent) for unsent in batch])
    left = dict(enumerate(items))
    backoff = Backoff()
    while left:
        try:
            for index in await _stored(destination, left):
                destination.meter.add(batch[index].file.path, batch[index].file.size)
                del left[index]
            backoff.reached(len(items) - len(left))
        except ModelyardError as error:
            await backoff.pause(error)
    return [item.blob.digest for item in items]


def _item(unsent: Unsent) -> pb.BatchWriteBlobsRequest.Item:
    with closing(Reader(unsent.file, digest=unsent.digest)) as reader:
        data = reader.read(0, reader.size)
        reader.check_unchanged()
    return pb.BatchWriteBlobsRequest.Item(
        blob=resources_pb2.Blob(digest=reader.digest, size_bytes=reader.size),
        data=data,
        crc32c=crc32c(data) if crc32c else None,
    )


async def _stored(destination: Destination, items: Mapping[int, pb.BatchWriteBlobsRequest.Item]) -> list[int]:
    """Sends items; the keys of those that are stored then. Raises if none is, or for one that never will be."""
    connection = destination.connection
    request = pb.BatchWriteBlobsRequest(parent=destination.parent, items=items.values())
    size = sum(item.blob.size_bytes for item in items.values())
    destination.bytes_sent += size
    timeout = batch_timeout(size)
    response = await connection.call(connection.stub(ArtifactsServiceStub).BatchWriteBlobs, request, timeout=timeout)
    if len(response.results) != len(items):
        raise BadAnswerError(
            f"the registry answered for {len(response.results)} of {len(items)} blobs", reason="BAD_ANSWER"
        )
    stored, errors = [], []
    for key, result in zip(items, response.results, strict=True):
        if result.status.code:
            errors.append(connection.translate(_as_rpc_error(result.status)))
        else:
            stored.append(key)
    for error in errors:
        if not stored or not is_interruption(error):
            raise error
    return stored


def _as_rpc_error(status: status_pb2.Status) -> grpc.aio.AioRpcError:
    """One item's status in the form that a whole call's has, so that both are translated alike."""
    code = next((code for code in grpc.StatusCode if code.value[0] == status.code), grpc.StatusCode.UNKNOWN)
    details = grpc.aio.Metadata(("grpc-status-details-bin", status.SerializeToString()))
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), details, details=status.message)

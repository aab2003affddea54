"""Parses requests about blobs."""

from modelyard.core.manifest import check_digest
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.calls import validation
from modelyard_server.calls.parsing import Collector
from modelyard_server.transfers.blobs.values import BlobRef


def blob_ref(collector: Collector, field: str, message: pb.Blob) -> BlobRef:
    collector.add(validation.parsed(f"{field}.digest", check_digest, message.digest))
    collector.add(validation.blob_size(f"{field}.size_bytes", message.size_bytes))
    return BlobRef(message.digest, message.size_bytes)

"""Blobs, uploads and downloads.

An upload becomes a blob only with ``finish_write``, the exact size and the sha256 that the server computes. The end of
a stream commits nothing. Bytes are read through a version that has them: a digest alone gives no right to read.
"""

from collections.abc import Collection, Mapping
from typing import Final

from modelyard.v1 import artifacts_pb2
from modelyard_server.capability import Capability, Parts, Running, Sweep
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.log.changes import Mutations
from modelyard_server.registry.guards import UseListener
from modelyard_server.transfers.blobs import tables as blob_tables
from modelyard_server.transfers.blobs.damage import DamagedBlobs
from modelyard_server.transfers.blobs.events import BLOB
from modelyard_server.transfers.blobs.repository import BlobRepository
from modelyard_server.transfers.blobs.service import Blobs
from modelyard_server.transfers.blobs.servicer import BlobsServicer
from modelyard_server.transfers.checks import check
from modelyard_server.transfers.downloads.largest import LargestFiles
from modelyard_server.transfers.downloads.service import Downloads
from modelyard_server.transfers.downloads.servicer import DownloadsServicer
from modelyard_server.transfers.metrics import rehashed_bytes
from modelyard_server.transfers.stores import tables as store_tables
from modelyard_server.transfers.sweeps import DiscardStrays, ExpireUploads
from modelyard_server.transfers.uploads import tables as upload_tables
from modelyard_server.transfers.uploads.guard import UploadsKeepNamespaces
from modelyard_server.transfers.uploads.jobs import PublishToTheEnd
from modelyard_server.transfers.uploads.service import Uploads
from modelyard_server.transfers.uploads.servicer import UploadsServicer


class _HeldBlobs:
    """See :class:`~modelyard_server.registry.guards.StoredBlobs`."""

    async def held_sizes(
        self, transaction: Transaction, namespace_key: int, digests: Collection[str], *, lock: bool = False
    ) -> Mapping[str, int]:
        return await BlobRepository(transaction).visible(namespace_key, digests, lock=lock)


def _build(parts: Parts) -> Running:
    mutations, limits = Mutations(parts.database, parts.clock, parts.limits), parts.limits
    damaged = DamagedBlobs(mutations, parts.store, parts.metrics)
    parts.offers.add(damaged)
    blobs = Blobs(mutations, parts.store, damaged)
    uploads = Uploads(mutations, blobs, parts.store, rehashed_bytes(parts.metrics))
    downloads = Downloads(
        parts.database,
        parts.store,
        damaged,
        limits.preferred_chunk_bytes,
        limits.batch_bytes,
        LargestFiles(limits.usage_versions),
        parts.offers.of(UseListener),
    )
    return Running(
        servicers=[
            BlobsServicer(blobs, limits, parts.store.compose_threshold),
            UploadsServicer(uploads, parts.lists, limits, parts.draining),
            DownloadsServicer(downloads, limits, parts.draining),
        ],
        jobs=[PublishToTheEnd(uploads)],
        sweeps=[
            Sweep("uploads", ExpireUploads(mutations, parts.store)),
            Sweep("staged", DiscardStrays(parts.database, parts.store)),
        ],
    )


CAPABILITY: Final = Capability(
    name="transfers",
    tables=[blob_tables.blobs, blob_tables.namespace_blobs, store_tables.stores, upload_tables.uploads],
    services=[artifacts_pb2.DESCRIPTOR.services_by_name["ArtifactsService"]],
    offers=[BLOB, _HeldBlobs(), UploadsKeepNamespaces()],
    checks=[check],
    build=_build,
)

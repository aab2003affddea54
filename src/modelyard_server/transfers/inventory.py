"""SQL with which `fsck` reads blobs and uploads."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, and_, bindparam, select

from modelyard.core.manifest import check_digest
from modelyard_server.blobs.store import BlobKey
from modelyard_server.db.inspection import Every, Inspector
from modelyard_server.db.rows import batches
from modelyard_server.registry.namespaces.tables import namespaces
from modelyard_server.transfers.blobs.tables import blobs, namespace_blobs
from modelyard_server.transfers.stores.repository import StoreRepository
from modelyard_server.transfers.uploads.tables import uploads
from modelyard_server.transfers.uploads.values import UploadState

_BLOBS = blobs.c
_HELD = namespace_blobs.c
_UPLOADS = uploads.c
_KNOWN_BLOBS: Final = select(_BLOBS.digest, _BLOBS.generation).where(
    _BLOBS.digest.in_(bindparam("digests", expanding=True))
)
_KNOWN_UPLOADS: Final = select(_UPLOADS.id).where(_UPLOADS.id.in_(bindparam("ids", expanding=True)))


def _namespace_key(row: Row[Any]) -> int:
    return int(row.key)


NAMESPACE_KEYS: Final = Every(select(namespaces.c.key), namespaces.c.key, _namespace_key, namespaces.name)


class HeldBlob(NamedTuple):
    """A blob of a namespace."""

    name: str
    size: int
    stored: int | None
    """The size of the live publication in its row; None without one."""


def _held(row: Row[Any]) -> HeldBlob:
    return HeldBlob(f"namespaces/{row.namespace_id}/blobs/{row.digest}", row.size, row.stored)


HELD_BLOBS: Final = Every(
    select(namespaces.c.id.label("namespace_id"), _HELD.digest, _HELD.size, _BLOBS.size.label("stored"))
    .join_from(namespace_blobs, namespaces)
    .outerjoin(blobs, and_(_BLOBS.digest == _HELD.digest, _BLOBS.state == "LIVE"))
    .where(_HELD.namespace_key == bindparam("of_namespace")),
    _HELD.digest,
    _held,
    namespace_blobs.name,
)


def _blob(row: Row[Any]) -> BlobKey:
    return BlobKey(check_digest(row.digest), row.generation, row.size)


LIVE_BLOBS: Final = Every(
    select(_BLOBS.digest, _BLOBS.generation, _BLOBS.size).where(_BLOBS.state == "LIVE"),
    _BLOBS.digest,
    _blob,
    blobs.name,
)


class UploadRecord(NamedTuple):
    id: str
    name: str
    expire_time: datetime
    blob_lost: bool
    """It is committed, but its namespace does not have its blob."""


def _upload(row: Row[Any]) -> UploadRecord:
    name = f"namespaces/{row.namespace_id}/uploads/{row.id}"
    return UploadRecord(row.id, name, row.expire_time, bool(row.blob_lost))


UPLOADS: Final = Every(
    select(
        _UPLOADS.id,
        namespaces.c.id.label("namespace_id"),
        _UPLOADS.expire_time,
        and_(_UPLOADS.state == UploadState.COMMITTED.value, _HELD.digest.is_(None)).label("blob_lost"),
    )
    .join_from(uploads, namespaces)
    .outerjoin(
        namespace_blobs,
        and_(
            _HELD.namespace_key == _UPLOADS.namespace_key,
            _HELD.digest == _UPLOADS.digest,
            _HELD.size == _UPLOADS.size,
        ),
    ),
    _UPLOADS.id,
    _upload,
    uploads.name,
)


async def recorded_store(rows: Inspector) -> str | None:
    """The id of the store that the database belongs with."""
    return await rows.read(lambda transaction: StoreRepository(transaction).identity())


async def known_blobs(rows: Inspector, keys: Sequence[BlobKey]) -> set[tuple[str, str]]:
    """Digest and generation of the publications that have a row."""
    known: set[tuple[str, str]] = set()
    for batch in batches({key.digest for key in keys}):
        found = await rows.rows(_KNOWN_BLOBS, {"digests": batch})
        known.update((row.digest, row.generation) for row in found)
    return known


async def known_uploads(rows: Inspector, ids: Sequence[str]) -> set[str]:
    return {row.id for row in await rows.rows(_KNOWN_UPLOADS, {"ids": ids})}

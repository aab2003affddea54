"""Everything there is, page by page, for who checks it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import Select, String, cast, func, literal, or_, select

from modelyard.manifest import File
from modelyard_server.db import tables
from modelyard_server.db.engine import Connection, Engine
from modelyard_server.db.faults import explained
from modelyard_server.db.rows import batches
from modelyard_server.domain.events import Change
from modelyard_server.services.blob_store import BlobKey
from modelyard_server.services.consistency import EventRecord, Finding, LogHead, UploadRecord, VersionRecord

T = TypeVar("T")

_PAGE: Final = 200

_NAMESPACES = tables.namespaces.c
_MODELS = tables.models.c
_VERSIONS = tables.versions.c
_FILES = tables.version_files.c
_ALIASES = tables.aliases.c
_BLOBS = tables.blobs.c
_HELD = tables.namespace_blobs.c
_EVENTS = tables.events.c
_HEADS = tables.log_heads.c
_UPLOADS = tables.uploads.c

_MODEL_NAME = literal("namespaces/") + _NAMESPACES.id + "/models/" + _MODELS.id
_VERSION_NAME = _MODEL_NAME + "/versions/" + cast(_VERSIONS.number, String)
_ALIAS_NAME = _MODEL_NAME + "/aliases/" + _ALIASES.id

_LAST_SNAPSHOT = (
    select(_EVENTS.snapshot)
    .where(_EVENTS.namespace_key == _NAMESPACES.key, _EVENTS.resource == _VERSION_NAME)
    .order_by(_EVENTS.revision.desc())
    .limit(1)
    .correlate(tables.versions, tables.models, tables.namespaces)
    .scalar_subquery()
    .label("last_snapshot")
)


def _broken() -> list[tuple[str, str, Select[Any]]]:
    """Kind, detail, and the query of the names of what is wrong."""
    of_model = select(_VERSION_NAME).select_from(tables.versions).join(tables.models).join(tables.namespaces)
    files = (
        select(_VERSION_NAME + " " + _FILES.path)
        .select_from(tables.version_files)
        .join(tables.versions)
        .join(tables.models)
        .join(tables.namespaces)
        .outerjoin(
            tables.namespace_blobs,
            (_HELD.namespace_key == _MODELS.namespace_key) & (_HELD.digest == _FILES.digest),
        )
    )
    aliases = (
        select(_ALIAS_NAME)
        .select_from(tables.aliases)
        .join(tables.models, _MODELS.key == _ALIASES.model_key)
        .join(tables.namespaces)
        .outerjoin(tables.versions, _VERSIONS.key == _ALIASES.version_key)
    )
    held = (
        select(literal("namespaces/") + _NAMESPACES.id + "/blobs/" + _HELD.digest)
        .select_from(tables.namespace_blobs)
        .join(tables.namespaces)
        .outerjoin(tables.blobs, _BLOBS.digest == _HELD.digest)
    )
    numbered = select(func.count(), func.coalesce(func.max(_VERSIONS.number), 0)).where(
        _VERSIONS.model_key == _MODELS.key
    )
    count = numbered.with_only_columns(func.count()).correlate(tables.models).scalar_subquery()
    highest = (
        numbered.with_only_columns(func.coalesce(func.max(_VERSIONS.number), 0))
        .correlate(tables.models)
        .scalar_subquery()
    )
    models = select(_MODEL_NAME).select_from(tables.models).join(tables.namespaces)
    return [
        (
            "ALIAS_DANGLING",
            "points at no version of its model that is there",
            aliases.where(
                or_(
                    _VERSIONS.key.is_(None),
                    _VERSIONS.model_key != _ALIASES.model_key,
                    _VERSIONS.delete_time.is_not(None),
                )
            ),
        ),
        (
            "FILE_WITHOUT_BLOB",
            "its namespace does not hold the blob, or holds it with another size",
            files.where(or_(_HELD.digest.is_(None), _HELD.size != _FILES.size)),
        ),
        (
            "BLOB_NOT_STORED",
            "a namespace may name it, and no live publication of that size is known",
            held.where(or_(_BLOBS.digest.is_(None), _BLOBS.state != "LIVE", _BLOBS.size != _HELD.size)),
        ),
        (
            "NUMBER_WRONG",
            "its versions are not numbered from 1 without gaps",
            models.where(or_(count != _MODELS.last_number, highest != _MODELS.last_number)),
        ),
        ("VERSION_WITHOUT_FILES", "no version is empty", of_model.where(_VERSIONS.file_count < 1)),
    ]


_BROKEN: Final = _broken()


class SqlInventory:
    """See :class:`~modelyard_server.services.consistency.Inventory`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def _read(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        async with explained():
            return await self._engine.read(work)

    async def _rows(self, query: Select[Any]) -> Sequence[Any]:
        async def work(connection: Connection) -> Sequence[Any]:
            return list(await connection.execute(query))

        return await self._read(work)

    async def broken_references(self, limit: int) -> list[Finding]:
        found: list[Finding] = []
        for kind, detail, query in _BROKEN:
            found += [Finding(kind, row[0], detail) for row in await self._rows(query.limit(limit - len(found)))]
        return found

    async def versions(self, after: int) -> list[VersionRecord]:
        columns = (_VERSIONS.file_count, _VERSIONS.total_size, _VERSIONS.manifest_digest, _VERSIONS.row_version)
        query = (
            select(_VERSIONS.key, _VERSION_NAME.label("name"), *columns, _LAST_SNAPSHOT)
            .select_from(tables.versions)
            .join(tables.models)
            .join(tables.namespaces)
            .where(_VERSIONS.key > after)
            .order_by(_VERSIONS.key)
            .limit(_PAGE)
        )
        return [_version(row) for row in await self._rows(query)]

    async def files(self, version_key: int) -> tuple[File, ...]:
        query = select(_FILES.path, _FILES.size, _FILES.digest).where(_FILES.version_key == version_key)
        return tuple(File(*row) for row in await self._rows(query.order_by(_FILES.path)))

    async def blobs(self, after: str) -> list[BlobKey]:
        query = select(_BLOBS.digest, _BLOBS.generation, _BLOBS.size).where(_BLOBS.state == "LIVE")
        rows = await self._rows(query.where(_BLOBS.digest > after).order_by(_BLOBS.digest).limit(_PAGE))
        return [BlobKey(*row) for row in rows]

    async def known_blobs(self, keys: Sequence[BlobKey]) -> set[tuple[str, str]]:
        known: set[tuple[str, str]] = set()
        for batch in batches({key.digest for key in keys}):
            rows = await self._rows(select(_BLOBS.digest, _BLOBS.generation).where(_BLOBS.digest.in_(batch)))
            known.update((row.digest, row.generation) for row in rows)
        return known

    async def log_heads(self, after: int) -> list[LogHead]:
        name = (literal("namespaces/") + _NAMESPACES.id).label("name")
        query = (
            select(_NAMESPACES.key, name, func.coalesce(_HEADS.revision, 0), func.coalesce(_HEADS.hash, ""))
            .select_from(tables.namespaces)
            .outerjoin(tables.log_heads)
            .where(_NAMESPACES.key > after)
        )
        return [LogHead(*row) for row in await self._rows(query.order_by(_NAMESPACES.key).limit(_PAGE))]

    async def events(self, namespace_key: int, after: int) -> list[EventRecord]:
        query = select(tables.events).where(_EVENTS.namespace_key == namespace_key, _EVENTS.revision > after)
        return [_event(row) for row in await self._rows(query.order_by(_EVENTS.revision).limit(_PAGE))]

    async def uploads(self, after: str) -> list[UploadRecord]:
        name = literal("namespaces/") + _NAMESPACES.id + "/uploads/" + _UPLOADS.id
        query = select(name, _UPLOADS.id, _UPLOADS.expire_time).select_from(tables.uploads).join(tables.namespaces)
        rows = await self._rows(query.where(_UPLOADS.id > after).order_by(_UPLOADS.id).limit(_PAGE))
        return [UploadRecord(*row) for row in rows]

    async def known_uploads(self, ids: Sequence[str]) -> set[str]:
        return {row.id for row in await self._rows(select(_UPLOADS.id).where(_UPLOADS.id.in_(ids)))}


def _version(row: Any) -> VersionRecord:
    return VersionRecord(
        key=row.key,
        name=row.name,
        file_count=row.file_count,
        total_size=row.total_size,
        manifest_digest=row.manifest_digest,
        row_version=row.row_version,
        logged_row_version=row.last_snapshot["row_version"] if row.last_snapshot else None,
    )


def _event(row: Any) -> EventRecord:
    change = Change(
        namespace_key=row.namespace_key,
        type=row.type,
        resource=row.resource,
        actor=row.actor,
        request_id=row.request_id,
        reason=row.reason,
        time=row.time,
        changes=row.changes,
        snapshot=row.snapshot,
    )
    return EventRecord(row.revision, change, row.previous_hash, row.hash)

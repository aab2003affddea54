"""Versions and their files."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Row, Select, Text, bindparam, func, insert, select, type_coerce, update

from modelyard.core.facts import Parent
from modelyard.core.manifest import File
from modelyard.core.names import ModelName, VersionName
from modelyard_server.db import rows
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.query import pages
from modelyard_server.query.listing import Listing, Page
from modelyard_server.query.order import Order
from modelyard_server.registry.aliases.tables import aliases
from modelyard_server.registry.models.tables import models
from modelyard_server.registry.models.values import Model
from modelyard_server.registry.namespaces.tables import namespaces
from modelyard_server.registry.rows import OF_MODEL, model_name, of_model
from modelyard_server.registry.versions import index
from modelyard_server.registry.versions.recorded import Recorded
from modelyard_server.registry.versions.subject import SUBJECT
from modelyard_server.registry.versions.tables import version_files, version_parents, versions
from modelyard_server.registry.versions.values import Version, VersionState

_VERSIONS = versions.c
_NEWEST_NUMBER: Final = Order("number", descending=True)
_NEWEST_FIRST: Final = Order("create_time", descending=True)
_FILES = version_files.c
# Ids of aliases have no comma.
_ALIASES = (
    select(func.aggregate_strings(aliases.c.id, ","))
    .where(aliases.c.version_key == _VERSIONS.key)
    .correlate(versions)
    .scalar_subquery()
    .label("alias_ids")
)


# Includes deleted versions, and versions of deleted models.
EVERY: Final[Select[Any]] = (
    select(
        *(column for column in _VERSIONS if column is not _VERSIONS.facts),
        # As text, which is decoded only where it is used.
        type_coerce(_VERSIONS.facts, Text).label("facts"),
        namespaces.c.id.label("namespace_id"),
        models.c.id.label("model_id"),
        _ALIASES,
    )
    .join_from(versions, models)
    .join(namespaces)
)
# Versions of models that are not deleted.
LIVING: Final = EVERY.where(models.c.delete_time.is_(None))
_OF_MODEL = LIVING.where(*OF_MODEL)
_FIND = _OF_MODEL.where(_VERSIONS.number == bindparam("number"))
# Lock first, then read: a statement that waits for the lock would see the aliases from before the wait.
_LOCK = _FIND.with_only_columns(_VERSIONS.key).with_for_update(of=versions)
_NEWEST = _OF_MODEL.where(_VERSIONS.delete_time.is_(None)).order_by(_VERSIONS.number.desc()).limit(1)
_LATEST = _NEWEST.where(_VERSIONS.state == VersionState.READY.value)
_BY_DIGEST = _NEWEST.where(_VERSIONS.manifest_digest == bindparam("digest"))
_INSERT = insert(versions).returning(_VERSIONS.key)
_UPDATE = update(versions).where(_VERSIONS.key == bindparam("row_key"))
_INSERT_FILES = insert(version_files)
_ROWS: Final = pages.Rows.of(EVERY, _VERSIONS.key)
_FILES_OF: Final[Select[Any]] = select(_FILES.path, _FILES.size, _FILES.digest, _FILES.executable).where(
    _FILES.version_key == bindparam("version_key")
)
_ALL_FILES = _FILES_OF.order_by(_FILES.path)
_FILE_AT = _FILES_OF.where(_FILES.path == bindparam("path"))
_FILES_AT = _FILES_OF.where(_FILES.path.in_(bindparam("paths", expanding=True)))
_LARGEST_FILE = _FILES_OF.with_only_columns(_FILES.digest).order_by(_FILES.size.desc(), _FILES.digest).limit(1)
_FILE_WITH = _FILES_OF.where(_FILES.digest == bindparam("digest")).limit(1)


def from_row(row: Row[Any]) -> Version:
    return Version(
        **rows.common(row),
        name=VersionName(model_name(row), row.number),
        live_state=VersionState(row.state),
        files=None,
        file_count=row.file_count,
        total_size=row.total_size,
        manifest_digest=row.manifest_digest,
        recorded=Recorded(row.facts),
        created_by=row.created_by,
        description=row.description,
        labels=row.labels,
        annotations=row.annotations,
        aliases=tuple(sorted(row.alias_ids.split(","))) if row.alias_ids else (),
        delete_time=row.delete_time,
        purge_time=row.purge_time,
        deprecation_reason=row.deprecation_reason,
        quarantine_reason=row.quarantine_reason or "",
        released_state=None if row.released_state is None else VersionState(row.released_state),
        model_key=row.model_key,
        namespace_key=row.namespace_key,
    )


def _file(row: Row[Any]) -> File:
    return File(row.path, row.size, row.digest, bool(row.executable))


def _mutable(version: Version) -> dict[str, Any]:
    return {
        **rows.common_values(version),
        "state": version.live_state.value,
        "description": version.description,
        "labels": dict(version.labels),
        "annotations": dict(version.annotations),
        "deprecation_reason": version.deprecation_reason,
        "quarantine_reason": version.quarantine_reason or None,
        "released_state": None if version.released_state is None else version.released_state.value,
        "delete_time": version.delete_time,
        "purge_time": version.purge_time,
    }


class VersionRepository:
    def __init__(self, transaction: Transaction) -> None:
        self._connection = transaction.connection

    async def add(self, version: Version) -> Version:
        values = {
            "model_key": version.model_key,
            "namespace_key": version.namespace_key,
            "number": version.name.number,
            "file_count": version.file_count,
            "total_size": version.total_size,
            "manifest_digest": version.manifest_digest,
            "facts": version.recorded.stored,
            "created_by": version.created_by,
            **_mutable(version),
        }
        key = await self._connection.scalar(_INSERT, values)
        files = [
            {
                "version_key": key,
                "path": file.path,
                "digest": file.digest,
                "size": file.size,
                "executable": file.executable,
            }
            for file in version.files or ()
        ]
        await self._connection.execute(_INSERT_FILES, files)
        added = replace(version, key=key)
        await index.add(self._connection, added)
        parents = {await self._key(parent) for parent in version.facts.parents}
        if parents:
            pairs = [{"version_key": key, "parent_key": parent} for parent in parents]
            await self._connection.execute(insert(version_parents), pairs)
        return added

    async def _one(self, query: Select[Any], parameters: dict[str, Any]) -> Version | None:
        row = (await self._connection.execute(query, parameters)).one_or_none()
        return None if row is None else from_row(row)

    async def find(self, name: VersionName, *, lock: bool = False) -> Version | None:
        parameters = of_model(name.model, number=name.number)
        if lock:
            await self._connection.execute(_LOCK, parameters)
        return await self._one(_FIND, parameters)

    async def find_latest(self, name: ModelName) -> Version | None:
        return await self._one(_LATEST, of_model(name))

    async def find_by_digest(self, name: ModelName, digest: str) -> Version | None:
        return await self._one(_BY_DIGEST, of_model(name, digest=digest))

    async def files(self, key: int) -> tuple[File, ...]:
        return tuple(map(_file, await self._connection.execute(_ALL_FILES, {"version_key": key})))

    async def largest_file(self, key: int) -> str:
        return str(await self._connection.scalar(_LARGEST_FILE, {"version_key": key}))

    async def file(self, key: int, *, path: str | None = None, digest: str | None = None) -> File | None:
        query, parameter = (_FILE_AT, {"path": path}) if path is not None else (_FILE_WITH, {"digest": digest})
        row = (await self._connection.execute(query, {"version_key": key, **parameter})).one_or_none()
        return None if row is None else _file(row)

    async def files_at(self, key: int, paths: Collection[str]) -> dict[str, File]:
        found: dict[str, File] = {}
        for batch in rows.batches(paths):
            result = await self._connection.execute(_FILES_AT, {"version_key": key, "paths": batch})
            found.update((file.path, file) for file in map(_file, result))
        return found

    async def update(self, version: Version) -> None:
        await self._connection.execute(_UPDATE, {"row_key": version.key, **_mutable(version)})
        await index.update(self._connection, version)

    async def _key(self, parent: Parent) -> int:
        name = VersionName.parse(parent.version)
        keys = _FIND.with_only_columns(_VERSIONS.key)
        return int(await self._connection.scalar(keys, of_model(name.model, number=name.number)))

    async def page(self, model: Model, listing: Listing) -> Page[Version]:
        return await self._page(listing, _NEWEST_NUMBER, namespace_key=model.namespace_key, of_model=model.key)

    async def page_of_all(self, namespace_key: int, listing: Listing) -> Page[Version]:
        return await self._page(listing, _NEWEST_FIRST, namespace_key=namespace_key, of_model=None)

    async def _page(self, listing: Listing, order: Order, *, namespace_key: int, of_model: int | None) -> Page[Version]:
        query = pages.Query(
            subject=SUBJECT,
            namespace_key=namespace_key,
            of_model=of_model,
            show_deleted=listing.show_deleted,
            where=listing.where,
            order=listing.order or order,
        )
        return await pages.first_or_next(self._connection, query, _ROWS, from_row, listing)

"""Versions and their files."""

from dataclasses import replace
from typing import Any

from sqlalchemy import Row, Select, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from modelyard.manifest import File
from modelyard.names import AliasName, ModelName, VersionName
from modelyard_server.db import rows, tables
from modelyard_server.domain.codec import facts_from_json, facts_to_json
from modelyard_server.domain.resources import Version, VersionState

_VERSIONS = tables.versions.c
_FILES = tables.version_files.c
# Ids of aliases hold no comma.
_ALIASES = (
    select(func.aggregate_strings(tables.aliases.c.id, ","))
    .where(tables.aliases.c.version_key == _VERSIONS.key)
    .correlate(tables.versions)
    .scalar_subquery()
    .label("alias_ids")
)


def _select() -> Select[Any]:
    """Versions of models that are not deleted."""
    return (
        select(
            tables.versions,
            tables.namespaces.c.id.label("namespace_id"),
            tables.namespaces.c.key.label("namespace_key"),
            tables.models.c.id.label("model_id"),
            _ALIASES,
        )
        .join_from(tables.versions, tables.models)
        .join(tables.namespaces)
        .where(tables.models.c.delete_time.is_(None))
    )


def _of(name: ModelName) -> Select[Any]:
    return _select().where(tables.namespaces.c.id == name.namespace, tables.models.c.id == name.model)


def _version(row: Row[Any]) -> Version:
    return Version(
        **rows.common(row),
        name=VersionName(rows.model_name(row), row.number),
        live_state=VersionState(row.state),
        files=None,
        file_count=row.file_count,
        total_size=row.total_size,
        manifest_digest=row.manifest_digest,
        facts=facts_from_json(row.facts),
        created_by=row.created_by,
        description=row.description,
        labels=row.labels,
        annotations=row.annotations,
        aliases=tuple(sorted(row.alias_ids.split(","))) if row.alias_ids else (),
        delete_time=row.delete_time,
        purge_time=row.purge_time,
        deprecation_reason=row.deprecation_reason,
        model_key=row.model_key,
        namespace_key=row.namespace_key,
    )


def _mutable(version: Version) -> dict[str, Any]:
    return {
        **rows.common_values(version),
        "state": version.live_state.value,
        "description": version.description,
        "labels": dict(version.labels),
        "annotations": dict(version.annotations),
        "deprecation_reason": version.deprecation_reason,
        "delete_time": version.delete_time,
        "purge_time": version.purge_time,
    }


class SqlVersions:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, version: Version) -> Version:
        key = await self._connection.scalar(
            insert(tables.versions)
            .values(
                model_key=version.model_key,
                number=version.name.number,
                file_count=version.file_count,
                total_size=version.total_size,
                manifest_digest=version.manifest_digest,
                facts=facts_to_json(version.facts),
                created_by=version.created_by,
                **_mutable(version),
            )
            .returning(_VERSIONS.key)
        )
        files = [
            {"version_key": key, "path": file.path, "digest": file.digest, "size": file.size}
            for file in version.files or ()
        ]
        await self._connection.execute(insert(tables.version_files), files)
        return replace(version, key=key)

    async def _one(self, query: Select[Any]) -> Version | None:
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else _version(row)

    async def find(self, name: VersionName, *, lock: bool = False) -> Version | None:
        query = _of(name.model).where(_VERSIONS.number == name.number)
        if lock:
            # Locked first and read then: a statement that waited for the lock would see the aliases of before its wait.
            locked = query.with_only_columns(_VERSIONS.key).with_for_update(of=tables.versions)
            await self._connection.execute(locked)
        return await self._one(query)

    async def find_by_alias(self, name: AliasName) -> Version | None:
        query = _of(name.model).join(tables.aliases, tables.aliases.c.version_key == _VERSIONS.key)
        return await self._one(query.where(tables.aliases.c.id == name.alias))

    async def find_latest(self, name: ModelName) -> Version | None:
        query = _of(name).where(_VERSIONS.state == VersionState.READY.value, _VERSIONS.delete_time.is_(None))
        return await self._one(query.order_by(_VERSIONS.number.desc()).limit(1))

    async def find_by_digest(self, name: ModelName, digest: str) -> Version | None:
        query = _of(name).where(_VERSIONS.manifest_digest == digest, _VERSIONS.delete_time.is_(None))
        return await self._one(query.order_by(_VERSIONS.number.desc()).limit(1))

    async def files(self, key: int) -> tuple[File, ...]:
        query = select(_FILES.path, _FILES.size, _FILES.digest).where(_FILES.version_key == key).order_by(_FILES.path)
        return tuple(File(*row) for row in await self._connection.execute(query))

    async def file(self, key: int, *, path: str | None = None, digest: str | None = None) -> File | None:
        query = select(_FILES.path, _FILES.size, _FILES.digest).where(
            _FILES.version_key == key, _FILES.path == path if path is not None else _FILES.digest == digest
        )
        row = (await self._connection.execute(query.limit(1))).one_or_none()
        return None if row is None else File(*row)

    async def update(self, version: Version) -> None:
        await self._connection.execute(
            update(tables.versions).where(_VERSIONS.key == version.key).values(**_mutable(version))
        )

    async def page(self, model_key: int, *, before: int | None, limit: int, show_deleted: bool) -> list[Version]:
        query = _select().where(_VERSIONS.model_key == model_key)
        if before is not None:
            query = query.where(_VERSIONS.number < before)
        if not show_deleted:
            query = query.where(_VERSIONS.delete_time.is_(None))
        result = await self._connection.execute(query.order_by(_VERSIONS.number.desc()).limit(limit))
        return [_version(row) for row in result]

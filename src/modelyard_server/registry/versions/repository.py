"""Versions and their files."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import BindParameter, Row, Select, bindparam, func, insert, select, update

from modelyard.core.facts import Parent
from modelyard.core.manifest import File
from modelyard.core.names import AliasName, ModelName, VersionName
from modelyard_server.db import rows, tables
from modelyard_server.db.connection import Connection
from modelyard_server.log.codec import facts_from_json, facts_to_json
from modelyard_server.query import pages
from modelyard_server.query.attributes import indexed
from modelyard_server.query.listing import Listed, Listing
from modelyard_server.query.order import Order
from modelyard_server.query.subject import VERSIONS
from modelyard_server.registry import index as attributes
from modelyard_server.registry.values import Alias, Model, Version, VersionState

_VERSIONS = tables.versions.c
_NEWEST_NUMBER: Final = Order("number", descending=True)
_NEWEST_FIRST: Final = Order("create_time", descending=True)
_FILES = tables.version_files.c
# Ids of aliases hold no comma.
_ALIASES = (
    select(func.aggregate_strings(tables.aliases.c.id, ","))
    .where(tables.aliases.c.version_key == _VERSIONS.key)
    .correlate(tables.versions)
    .scalar_subquery()
    .label("alias_ids")
)


# Deleted ones, and those of deleted models too.
EVERY: Final[Select[Any]] = (
    select(
        tables.versions,
        tables.namespaces.c.id.label("namespace_id"),
        tables.models.c.id.label("model_id"),
        _ALIASES,
    )
    .join_from(tables.versions, tables.models)
    .join(tables.namespaces)
)
# Versions of models that are not deleted.
_SELECT = EVERY.where(tables.models.c.delete_time.is_(None))
_OF_MODEL = _SELECT.where(*rows.OF_MODEL)
_FIND = _OF_MODEL.where(_VERSIONS.number == bindparam("number"))
# Locked first and read then: a statement that waited for the lock would see the aliases of before its wait.
_LOCK = _FIND.with_only_columns(_VERSIONS.key).with_for_update(of=tables.versions)
_FOLLOW = (
    _OF_MODEL.add_columns(*(column.label(f"alias_{column.name}") for column in tables.aliases.c))
    .join(tables.aliases, tables.aliases.c.version_key == _VERSIONS.key)
    .where(tables.aliases.c.id == bindparam("alias_id"))
)
_NEWEST = _OF_MODEL.where(_VERSIONS.delete_time.is_(None)).order_by(_VERSIONS.number.desc()).limit(1)
_LATEST = _NEWEST.where(_VERSIONS.state == VersionState.READY.value)
_BY_DIGEST = _NEWEST.where(_VERSIONS.manifest_digest == bindparam("digest"))
_INSERT = insert(tables.versions).returning(_VERSIONS.key)
_UPDATE = update(tables.versions).where(_VERSIONS.key == bindparam("row_key"))
_INSERT_FILES = insert(tables.version_files)
_WITH_KEYS = EVERY.where(_VERSIONS.key.in_(bindparam("keys", expanding=True)))
_PARENTS = tables.version_parents.c
_KEYS: Final[BindParameter[Any]] = bindparam("keys", expanding=True)
_PARENTS_OF = EVERY.where(
    _VERSIONS.key.in_(select(_PARENTS.parent_key).where(_PARENTS.version_key.in_(_KEYS)))
).order_by(_VERSIONS.key)
_CHILDREN_OF = EVERY.where(
    _VERSIONS.key.in_(select(_PARENTS.version_key).where(_PARENTS.parent_key.in_(_KEYS)))
).order_by(_VERSIONS.key)
_LIVE_CHILDREN_OF = _CHILDREN_OF.where(_VERSIONS.delete_time.is_(None), tables.models.c.delete_time.is_(None))
_FILES_OF = select(_FILES.path, _FILES.size, _FILES.digest).where(_FILES.version_key == bindparam("version_key"))
_ALL_FILES = _FILES_OF.order_by(_FILES.path)
_FILE_AT = _FILES_OF.where(_FILES.path == bindparam("path"))
_FILES_AT = _FILES_OF.where(_FILES.path.in_(bindparam("paths", expanding=True)))
_LARGEST_FILE = _FILES_OF.with_only_columns(_FILES.digest).order_by(_FILES.size.desc(), _FILES.digest).limit(1)
_FILE_WITH = _FILES_OF.where(_FILES.digest == bindparam("digest")).limit(1)


def from_row(row: Row[Any]) -> Version:
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
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, version: Version) -> Version:
        values = {
            "model_key": version.model_key,
            "namespace_key": version.namespace_key,
            "number": version.name.number,
            "file_count": version.file_count,
            "total_size": version.total_size,
            "manifest_digest": version.manifest_digest,
            "facts": facts_to_json(version.facts),
            "created_by": version.created_by,
            **_mutable(version),
        }
        key = await self._connection.scalar(_INSERT, values)
        files = [
            {"version_key": key, "path": file.path, "digest": file.digest, "size": file.size}
            for file in version.files or ()
        ]
        await self._connection.execute(_INSERT_FILES, files)
        added = replace(version, key=key)
        await attributes.add_version(self._connection, added)
        parents = {await self._key(parent) for parent in version.facts.parents}
        if parents:
            pairs = [{"version_key": key, "parent_key": parent} for parent in parents]
            await self._connection.execute(insert(tables.version_parents), pairs)
        return added

    async def _one(self, query: Select[Any], parameters: dict[str, Any]) -> Version | None:
        row = (await self._connection.execute(query, parameters)).one_or_none()
        return None if row is None else from_row(row)

    async def find(self, name: VersionName, *, lock: bool = False) -> Version | None:
        parameters = rows.of_model(name.model, number=name.number)
        if lock:
            await self._connection.execute(_LOCK, parameters)
        return await self._one(_FIND, parameters)

    async def follow(self, name: AliasName) -> tuple[Version, Alias] | None:
        parameters = rows.of_model(name.model, alias_id=name.alias)
        row = (await self._connection.execute(_FOLLOW, parameters)).one_or_none()
        if row is None:
            return None
        version = from_row(row)
        alias = Alias(
            uid=row.alias_uid,
            create_time=row.alias_create_time,
            update_time=row.alias_update_time,
            row_version=row.alias_row_version,
            key=row.alias_key,
            name=name,
            version=version.name,
            manifest_digest=version.manifest_digest,
            updated_by=row.alias_updated_by,
            version_key=version.key,
        )
        return version, alias

    async def find_latest(self, name: ModelName) -> Version | None:
        return await self._one(_LATEST, rows.of_model(name))

    async def find_by_digest(self, name: ModelName, digest: str) -> Version | None:
        return await self._one(_BY_DIGEST, rows.of_model(name, digest=digest))

    async def files(self, key: int) -> tuple[File, ...]:
        return tuple(File(*row) for row in await self._connection.execute(_ALL_FILES, {"version_key": key}))

    async def largest_file(self, key: int) -> str:
        return str(await self._connection.scalar(_LARGEST_FILE, {"version_key": key}))

    async def file(self, key: int, *, path: str | None = None, digest: str | None = None) -> File | None:
        query, parameter = (_FILE_AT, {"path": path}) if path is not None else (_FILE_WITH, {"digest": digest})
        row = (await self._connection.execute(query, {"version_key": key, **parameter})).one_or_none()
        return None if row is None else File(*row)

    async def files_at(self, key: int, paths: Collection[str]) -> dict[str, File]:
        found: dict[str, File] = {}
        for batch in rows.batches(paths):
            result = await self._connection.execute(_FILES_AT, {"version_key": key, "paths": batch})
            found.update((file.path, file) for file in (File(*row) for row in result))
        return found

    async def update(self, version: Version) -> None:
        await self._connection.execute(_UPDATE, {"row_key": version.key, **_mutable(version)})
        await attributes.update_version(self._connection, version)

    async def _key(self, parent: Parent) -> int:
        name = VersionName.parse(parent.version)
        keys = _FIND.with_only_columns(_VERSIONS.key)
        return int(await self._connection.scalar(keys, rows.of_model(name.model, number=name.number)))

    async def parents(self, keys: Collection[int], limit: int) -> list[Version]:
        return await self._related(_PARENTS_OF, keys, limit)

    async def children(self, keys: Collection[int], limit: int, *, live: bool = False) -> list[Version]:
        return await self._related(_LIVE_CHILDREN_OF if live else _CHILDREN_OF, keys, limit)

    async def _related(self, query: Select[Any], keys: Collection[int], limit: int) -> list[Version]:
        found: dict[int, Version] = {}
        for batch in rows.batches(keys):
            result = await self._connection.execute(query.limit(limit), {"keys": batch})
            found.update((version.key, version) for version in map(from_row, result))
        return [found[key] for key in sorted(found)][:limit]

    async def children_elsewhere(self, model_key: int, limit: int) -> list[Version]:
        parent = tables.versions.alias()
        keys = (
            select(_PARENTS.version_key)
            .join(parent, parent.c.key == _PARENTS.parent_key)
            .where(parent.c.model_key == model_key, parent.c.delete_time.is_(None))
        )
        query = _SELECT.where(
            _VERSIONS.key.in_(keys), _VERSIONS.model_key != model_key, _VERSIONS.delete_time.is_(None)
        )
        return [from_row(row) for row in await self._connection.execute(query.order_by(_VERSIONS.key).limit(limit))]

    async def mentioning(self, namespace_key: int, fields: Collection[str], value: str, limit: int) -> list[Version]:
        texts = tables.version_texts.c
        keys = select(texts.version_key).where(
            texts.namespace_key == namespace_key, texts.field.in_(fields), texts.value == indexed(value)
        )
        query = EVERY.where(_VERSIONS.key.in_(keys)).order_by(_VERSIONS.key).limit(limit)
        return [from_row(row) for row in await self._connection.execute(query)]

    async def page(self, model: Model, listing: Listing) -> Listed[Version]:
        return await self._page(listing, _NEWEST_NUMBER, namespace_key=model.namespace_key, of_model=model.key)

    async def page_of_all(self, namespace_key: int, listing: Listing) -> Listed[Version]:
        return await self._page(listing, _NEWEST_FIRST, namespace_key=namespace_key, of_model=None)

    async def _page(
        self, listing: Listing, order: Order, *, namespace_key: int, of_model: int | None
    ) -> Listed[Version]:
        query = pages.Query(
            subject=VERSIONS,
            namespace_key=namespace_key,
            of_model=of_model,
            show_deleted=listing.show_deleted,
            where=listing.where,
            order=listing.order or order,
        )
        positions = await pages.page(self._connection, query, listing.after, listing.size + 1)
        return await pages.fetch(self._connection, _WITH_KEYS, from_row, positions, listing.size)

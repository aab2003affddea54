"""SQL with which `fsck` reads every row of the registry, together with the log and related rows."""

from collections.abc import Set as AbstractSet
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, String, bindparam, cast, func, literal, or_, select

from modelyard.core.manifest import File
from modelyard.core.names import AliasName, ModelName, VersionName
from modelyard_server.db.inspection import Every
from modelyard_server.log.inventory import Family, Logged, logged, with_last_event
from modelyard_server.log.tables import log_heads
from modelyard_server.registry.aliases import repository as alias_rows
from modelyard_server.registry.aliases.events import ALIAS
from modelyard_server.registry.aliases.tables import aliases
from modelyard_server.registry.models import repository as model_rows
from modelyard_server.registry.models.events import MODEL
from modelyard_server.registry.models.tables import models
from modelyard_server.registry.namespaces import repository as namespace_rows
from modelyard_server.registry.namespaces.events import NAMESPACE
from modelyard_server.registry.namespaces.tables import namespaces
from modelyard_server.registry.rows import model_name
from modelyard_server.registry.versions import repository as version_rows
from modelyard_server.registry.versions.events import VERSION
from modelyard_server.registry.versions.tables import version_files, version_parents, versions

NAMESPACE_NAME: Final[ColumnElement[str]] = literal("namespaces/") + namespaces.c.id
MODEL_NAME: Final[ColumnElement[str]] = NAMESPACE_NAME + "/models/" + models.c.id
VERSION_NAME: Final[ColumnElement[str]] = MODEL_NAME + "/versions/" + cast(versions.c.number, String)
ALIAS_NAME: Final[ColumnElement[str]] = MODEL_NAME + "/aliases/" + aliases.c.id


class NamespaceRecord(NamedTuple):
    key: int
    name: str
    logged: Logged
    log_name: str | None
    """The name of the namespace according to the head of its log; None without a head."""


def _namespace(row: Row[Any]) -> NamespaceRecord:
    namespace = namespace_rows.from_row(row)
    log_name = None if row.log_id is None else f"namespaces/{row.log_id}"
    return NamespaceRecord(namespace.key, str(namespace.name), logged(row, NAMESPACE, namespace), log_name)


NAMESPACES: Final = Every(
    with_last_event(
        select(namespaces, log_heads.c.namespace_id.label("log_id")).outerjoin(
            log_heads, log_heads.c.namespace_key == namespaces.c.key
        ),
        NAMESPACE,
        NAMESPACE_NAME,
        namespaces.c.key,
    ),
    namespaces.c.key,
    _namespace,
    namespaces.name,
)


class ModelRecord(NamedTuple):
    name: str
    logged: Logged
    last_number: int
    version_count: int
    lowest: int
    """Lowest number of its versions; 0 without versions. ``highest`` likewise."""
    highest: int

    @property
    def numbered(self) -> bool:
        """Whether its versions are 1, 2, 3 … A unique constraint excludes duplicates. Versions are never removed."""
        counted = self.version_count == self.highest == self.last_number
        return counted and (self.lowest == 1 or not self.version_count)


def _of_versions(function: ColumnElement[int], label: str) -> ColumnElement[int]:
    query = select(func.coalesce(function, 0)).where(versions.c.model_key == models.c.key)
    return query.correlate(models).scalar_subquery().label(label)


def _model(row: Row[Any]) -> ModelRecord:
    model = model_rows.from_row(row)
    numbers = (row.last_number, row.version_count, row.lowest, row.highest)
    return ModelRecord(str(model.name), logged(row, MODEL, model), *numbers)


MODELS: Final = Every(
    with_last_event(model_rows.EVERY, MODEL, MODEL_NAME, namespaces.c.key).add_columns(
        _of_versions(func.count(versions.c.number), "version_count"),
        _of_versions(func.min(versions.c.number), "lowest"),
        _of_versions(func.max(versions.c.number), "highest"),
    ),
    models.c.key,
    _model,
    models.name,
)


class VersionRecord(NamedTuple):
    key: int
    namespace_key: int
    name: str
    logged: Logged
    file_count: int
    total_size: int
    manifest_digest: str
    parents: AbstractSet[str]
    """The names in its facts."""
    linked: AbstractSet[str]
    """The names of the versions that lineage finds as its parents."""


def _version(row: Row[Any]) -> VersionRecord:
    version = version_rows.from_row(row)
    promised = (version.file_count, version.total_size, version.manifest_digest)
    parents = {parent.version for parent in version.facts.parents}
    linked = set(row.linked.split(",")) if row.linked else set()
    return VersionRecord(
        version.key, version.namespace_key, str(version.name), logged(row, VERSION, version), *promised, parents, linked
    )


_PARENT, _ITS_MODEL, _ITS_NAMESPACE = versions.alias(), models.alias(), namespaces.alias()
_MODEL_OF_PARENT: Final = literal("namespaces/") + _ITS_NAMESPACE.c.id + "/models/" + _ITS_MODEL.c.id
_PARENT_NAME: Final = _MODEL_OF_PARENT + "/versions/" + cast(_PARENT.c.number, String)
# Names have no comma.
_LINKED = (
    select(func.aggregate_strings(_PARENT_NAME, ","))
    .join_from(version_parents, _PARENT, _PARENT.c.key == version_parents.c.parent_key)
    .join(_ITS_MODEL, _ITS_MODEL.c.key == _PARENT.c.model_key)
    .join(_ITS_NAMESPACE, _ITS_NAMESPACE.c.key == _ITS_MODEL.c.namespace_key)
    .where(version_parents.c.version_key == versions.c.key)
    .correlate(versions)
    .scalar_subquery()
    .label("linked")
)
VERSIONS: Final = Every(
    with_last_event(version_rows.EVERY, VERSION, VERSION_NAME, namespaces.c.key).add_columns(_LINKED),
    versions.c.key,
    _version,
    versions.name,
)


def _file(row: Row[Any]) -> File:
    return File(row.path, int(row.size), row.digest, bool(row.executable))


FILES: Final = Every(
    select(version_files.c.path, version_files.c.size, version_files.c.digest, version_files.c.executable).where(
        version_files.c.version_key == bindparam("of_version")
    ),
    version_files.c.path,
    _file,
    version_files.name,
)


class AliasRecord(NamedTuple):
    name: str
    logged: Logged | None
    """None if the version that it points to has no row."""
    dangling: bool
    """It does not point to a live version of its own model."""


def _alias(row: Row[Any]) -> AliasRecord:
    name = AliasName(model_name(row), row.id)
    logged_alias = None if row.number is None else logged(row, ALIAS, alias_rows.from_row(row))
    return AliasRecord(str(name), logged_alias, bool(row.dangling))


ALIASES: Final = Every(
    with_last_event(
        select(
            aliases,
            namespaces.c.id.label("namespace_id"),
            models.c.id.label("model_id"),
            versions.c.number,
            versions.c.manifest_digest,
            or_(
                versions.c.key.is_(None),
                versions.c.model_key != aliases.c.model_key,
                versions.c.delete_time.is_not(None),
            ).label("dangling"),
        )
        .join_from(aliases, models)
        .join(namespaces)
        .outerjoin(versions, versions.c.key == aliases.c.version_key),
        ALIAS,
        ALIAS_NAME,
        namespaces.c.key,
    ),
    aliases.c.key,
    _alias,
    aliases.name,
)


def _ids_of_model(name: str) -> tuple[object, ...]:
    return (ModelName.parse(name).model,)


def _ids_of_version(name: str) -> tuple[object, ...]:
    parsed = VersionName.parse(name)
    return parsed.model.model, parsed.number


def _ids_of_alias(name: str) -> tuple[object, ...]:
    parsed = AliasName.parse(name)
    return parsed.model.model, parsed.alias


def _named(name: ColumnElement[str]) -> Select[Any]:
    return select(name).select_from(models).join(namespaces)


FAMILIES: Final = (
    Family(MODEL, _ids_of_model, (models.c.id,), _named(MODEL_NAME), namespaces.c.key),
    Family(
        VERSION,
        _ids_of_version,
        (models.c.id, versions.c.number),
        _named(VERSION_NAME).join(versions, versions.c.model_key == models.c.key),
        namespaces.c.key,
    ),
    Family(
        ALIAS,
        _ids_of_alias,
        (models.c.id, aliases.c.id),
        _named(ALIAS_NAME).join(aliases, aliases.c.model_key == models.c.key),
        namespaces.c.key,
    ),
)

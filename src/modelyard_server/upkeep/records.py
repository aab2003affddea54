"""Statements that read everything there is in pages, and what a check makes of their rows."""

from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, func, or_, select

from modelyard.core.manifest import File, check_digest
from modelyard.core.names import AliasName
from modelyard_server.blobs.store import BlobKey
from modelyard_server.db import names, rows, tables
from modelyard_server.deployments import repository as deployments
from modelyard_server.evaluations import repository as evaluations
from modelyard_server.log import repository as events
from modelyard_server.log.codec import snapshot
from modelyard_server.registry.aliases import repository as aliases
from modelyard_server.registry.models import repository as models
from modelyard_server.registry.values import AnyResource, DeliveryState, UploadState
from modelyard_server.registry.versions import repository as versions
from modelyard_server.upkeep import forgotten
from modelyard_server.upkeep.inventory import (
    AliasRecord,
    DeploymentRecord,
    EvaluationRecord,
    FileRecord,
    HeldBlob,
    Logged,
    ModelRecord,
    NamespaceRecord,
    UploadRecord,
    VersionRecord,
    WebhookRecord,
)
from modelyard_server.webhooks import repository as webhooks

T = TypeVar("T")

PAGE: Final = 200
"""Rows that are read at once."""

_NAMESPACES = tables.namespaces.c
_MODELS = tables.models.c
_VERSIONS = tables.versions.c
_FILES = tables.version_files.c
_ALIASES = tables.aliases.c
_BLOBS = tables.blobs.c
_HELD = tables.namespace_blobs.c
_EVENTS = tables.events.c
_EVALUATIONS = tables.evaluations.c
_UPLOADS = tables.uploads.c
_WEBHOOKS = tables.webhooks.c
_DELIVERIES = tables.webhook_deliveries.c


class Every(Generic[T]):
    """The statements that read some rows in the order of a key. Its value is in the column ``cursor``."""

    def __init__(self, query: Select[Any], key: ColumnElement[Any], build: Callable[[Row[Any]], T], table: str) -> None:
        self.build = build
        self.table = table
        self._cursor = key.label("cursor")
        self.first = query.add_columns(self._cursor).order_by(key).limit(PAGE)
        self.next = self.first.where(key > bindparam("after"))
        self.one = self.first.where(key == bindparam("key"))

    def keys(self, page: Select[Any]) -> Select[Any]:
        """Of the rows of ``page``, without anything else of them."""
        return page.with_only_columns(self._cursor, maintain_column_froms=True)


def _with_last_event(query: Select[Any], name: ColumnElement[str]) -> Select[Any]:
    """The query, and with each row the type and the snapshot of the last event about ``name``."""
    last = (
        select(_EVENTS.snapshot)
        .where(_EVENTS.namespace_key == _NAMESPACES.key, _EVENTS.resource == name)
        .order_by(_EVENTS.revision.desc())
        .limit(1)
        .correlate_except(tables.events)
    )
    floor = select(tables.log_heads.c.floor).where(tables.log_heads.c.namespace_key == _NAMESPACES.key)
    return query.add_columns(
        floor.scalar_subquery().label("log_floor"),
        last.scalar_subquery().label("event_snapshot"),
        last.with_only_columns(_EVENTS.type).scalar_subquery().label("event_type"),
    )


def _logged(row: Row[Any], resource: AnyResource) -> Logged:
    event = None if row.event_type in forgotten.REMOVALS else row.event_snapshot
    # The last event of a resource may be one that is not kept any more.
    compacted = row.event_type is None and bool(row.log_floor)
    return Logged(snapshot(resource), None if event is None else dict(event), compacted=compacted)


def _namespace(row: Row[Any]) -> NamespaceRecord:
    namespace = rows.namespace(row)
    return NamespaceRecord(namespace.key, str(namespace.name), _logged(row, namespace))


NAMESPACES: Final = Every(
    _with_last_event(select(tables.namespaces), names.NAMESPACE), _NAMESPACES.key, _namespace, "namespaces"
)


def _of_versions(function: ColumnElement[int], label: str) -> ColumnElement[int]:
    query = select(func.coalesce(function, 0)).where(_VERSIONS.model_key == _MODELS.key)
    return query.correlate(tables.models).scalar_subquery().label(label)


def _model(row: Row[Any]) -> ModelRecord:
    model = models.from_row(row)
    numbers = (row.last_number, row.version_count, row.lowest, row.highest)
    return ModelRecord(str(model.name), _logged(row, model), *numbers)


MODELS: Final = Every(
    _with_last_event(models.EVERY, names.MODEL).add_columns(
        _of_versions(func.count(_VERSIONS.number), "version_count"),
        _of_versions(func.min(_VERSIONS.number), "lowest"),
        _of_versions(func.max(_VERSIONS.number), "highest"),
    ),
    _MODELS.key,
    _model,
    "models",
)


def _version(row: Row[Any]) -> VersionRecord:
    version = versions.from_row(row)
    promised = (version.file_count, version.total_size, version.manifest_digest)
    return VersionRecord(version.key, str(version.name), _logged(row, version), *promised)


VERSIONS: Final = Every(_with_last_event(versions.EVERY, names.VERSION), _VERSIONS.key, _version, "versions")


def _file(row: Row[Any]) -> FileRecord:
    return FileRecord(File(row.path, int(row.size), row.digest), row.held)


FILES: Final = Every(
    select(_FILES.path, _FILES.size, _FILES.digest, _HELD.size.label("held"))
    .join_from(tables.version_files, tables.versions)
    .join(tables.models)
    .outerjoin(
        tables.namespace_blobs, and_(_HELD.namespace_key == _MODELS.namespace_key, _HELD.digest == _FILES.digest)
    )
    .where(_FILES.version_key == bindparam("of_version")),
    _FILES.path,
    _file,
    "version_files",
)


def _evaluation(row: Row[Any]) -> EvaluationRecord:
    evaluation = evaluations.from_row(row)
    return EvaluationRecord(str(evaluation.name), _logged(row, evaluation))


EVALUATIONS: Final = Every(
    _with_last_event(evaluations.EVERY, names.EVALUATION), _EVALUATIONS.key, _evaluation, "evaluations"
)


def _deployment(row: Row[Any]) -> DeploymentRecord:
    deployment = deployments.from_row(row)
    return DeploymentRecord(str(deployment.name), _logged(row, deployment))


DEPLOYMENTS: Final = Every(
    _with_last_event(deployments.EVERY, names.DEPLOYMENT), tables.deployments.c.key, _deployment, "deployments"
)


def _webhook(row: Row[Any]) -> WebhookRecord:
    webhook = webhooks.from_row(row)
    return WebhookRecord(str(webhook.name), _logged(row, webhook), bool(row.ahead), row.lost, row.stuck)


_PENDING_OF = select(_DELIVERIES.lane).where(
    _DELIVERIES.webhook_key == _WEBHOOKS.key, _DELIVERIES.state == DeliveryState.PENDING.value
)
_EVENT_OF = select(_EVENTS.revision).where(
    _EVENTS.namespace_key == _DELIVERIES.namespace_key, _EVENTS.revision == _DELIVERIES.revision
)
_LOST = _PENDING_OF.where(~_EVENT_OF.exists()).with_only_columns(func.count())
_FIRST = tables.webhook_deliveries.alias()
_WITH_A_TIME = select(_FIRST.c.key).where(
    _FIRST.c.webhook_key == _DELIVERIES.webhook_key,
    _FIRST.c.lane == _DELIVERIES.lane,
    _FIRST.c.state == DeliveryState.PENDING.value,
    _FIRST.c.next_attempt_time.is_not(None),
)
_STUCK = _PENDING_OF.where(_WEBHOOKS.disabled.is_(False), ~_WITH_A_TIME.exists()).with_only_columns(
    func.count(_DELIVERIES.lane.distinct())
)
WEBHOOKS: Final = Every(
    _with_last_event(webhooks.EVERY, names.WEBHOOK).add_columns(
        (
            _WEBHOOKS.queued_revision
            > select(tables.log_heads.c.revision)
            .where(tables.log_heads.c.namespace_key == _WEBHOOKS.namespace_key)
            .correlate(tables.webhooks)
            .scalar_subquery()
        ).label("ahead"),
        _LOST.correlate(tables.webhooks).scalar_subquery().label("lost"),
        _STUCK.correlate(tables.webhooks).scalar_subquery().label("stuck"),
    ),
    _WEBHOOKS.key,
    _webhook,
    "webhooks",
)


def _alias(row: Row[Any]) -> AliasRecord:
    name = AliasName(rows.model_name(row), row.id)
    logged = None if row.number is None else _logged(row, aliases.from_row(row))
    return AliasRecord(str(name), logged, bool(row.dangling))


ALIASES: Final = Every(
    _with_last_event(
        select(
            tables.aliases,
            _NAMESPACES.id.label("namespace_id"),
            _MODELS.id.label("model_id"),
            _VERSIONS.number,
            _VERSIONS.manifest_digest,
            or_(
                _VERSIONS.key.is_(None), _VERSIONS.model_key != _ALIASES.model_key, _VERSIONS.delete_time.is_not(None)
            ).label("dangling"),
        )
        .join_from(tables.aliases, tables.models)
        .join(tables.namespaces)
        .outerjoin(tables.versions, _VERSIONS.key == _ALIASES.version_key),
        names.ALIAS,
    ),
    _ALIASES.key,
    _alias,
    "aliases",
)


def _held(row: Row[Any]) -> HeldBlob:
    return HeldBlob(f"namespaces/{row.namespace_id}/blobs/{row.digest}", row.size, row.stored)


HELD_BLOBS: Final = Every(
    select(_NAMESPACES.id.label("namespace_id"), _HELD.digest, _HELD.size, _BLOBS.size.label("stored"))
    .join_from(tables.namespace_blobs, tables.namespaces)
    .outerjoin(tables.blobs, and_(_BLOBS.digest == _HELD.digest, _BLOBS.state == "LIVE"))
    .where(_HELD.namespace_key == bindparam("of_namespace")),
    _HELD.digest,
    _held,
    "namespace_blobs",
)


def _blob(row: Row[Any]) -> BlobKey:
    return BlobKey(check_digest(row.digest), row.generation, row.size)


LIVE_BLOBS: Final = Every(
    select(_BLOBS.digest, _BLOBS.generation, _BLOBS.size).where(_BLOBS.state == "LIVE"), _BLOBS.digest, _blob, "blobs"
)


EVENTS: Final = Every(
    select(tables.events).where(_EVENTS.namespace_key == bindparam("of_namespace")),
    _EVENTS.revision,
    events.from_row,
    "events",
)


def _upload(row: Row[Any]) -> UploadRecord:
    name = f"namespaces/{row.namespace_id}/uploads/{row.id}"
    return UploadRecord(row.id, name, row.expire_time, bool(row.blob_lost))


UPLOADS: Final = Every(
    select(
        _UPLOADS.id,
        _NAMESPACES.id.label("namespace_id"),
        _UPLOADS.expire_time,
        and_(_UPLOADS.state == UploadState.COMMITTED.value, _HELD.digest.is_(None)).label("blob_lost"),
    )
    .join_from(tables.uploads, tables.namespaces)
    .outerjoin(
        tables.namespace_blobs,
        and_(
            _HELD.namespace_key == _UPLOADS.namespace_key,
            _HELD.digest == _UPLOADS.digest,
            _HELD.size == _UPLOADS.size,
        ),
    ),
    _UPLOADS.id,
    _upload,
    "uploads",
)

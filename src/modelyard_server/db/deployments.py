"""What consumers serve."""

from typing import Any, Final

from sqlalchemy import Row, Select, select

from modelyard.names import DeploymentName, VersionName
from modelyard_server.db import rows, tables
from modelyard_server.domain.resources import Deployment

_DEPLOYMENTS = tables.deployments.c
# Of deleted models too, and those that have fallen silent.
EVERY: Final[Select[Any]] = (
    select(
        tables.deployments,
        tables.namespaces.c.id.label("namespace_id"),
        tables.models.c.id.label("model_id"),
        tables.versions.c.number,
        tables.versions.c.manifest_digest,
    )
    .join_from(tables.deployments, tables.versions)
    .join(tables.models, tables.models.c.key == tables.versions.c.model_key)
    .join(tables.namespaces, tables.namespaces.c.key == tables.models.c.namespace_key)
)


def from_row(row: Row[Any]) -> Deployment:
    model = rows.model_name(row)
    return Deployment(
        **rows.common(row),
        name=DeploymentName(model, row.uid),
        service=row.service,
        environment=row.environment,
        instance=row.instance,
        version=VersionName(model, row.number),
        manifest_digest=row.manifest_digest,
        observed_digest=row.observed_digest,
        reference=row.reference,
        created_by=row.created_by,
        heartbeat_time=row.heartbeat_time,
        expire_time=row.expire_time,
        lease=row.lease,
        ttl=row.ttl,
        model_key=row.model_key,
        version_key=row.version_key,
        namespace_key=row.namespace_key,
    )

"""Stores deployments."""

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Select, and_, bindparam, delete, func, insert, or_, select, update

from modelyard.core.names import DeploymentName, VersionName
from modelyard_server.db import rows
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.deployments.tables import deployments
from modelyard_server.deployments.values import Deployment, DeploymentListing, Rollout, RolloutQuery
from modelyard_server.query.conditions import condition
from modelyard_server.query.subject import Columns
from modelyard_server.registry.aliases.values import Alias
from modelyard_server.registry.models.tables import models
from modelyard_server.registry.models.values import Model
from modelyard_server.registry.namespaces.tables import namespaces
from modelyard_server.registry.namespaces.values import Namespace
from modelyard_server.registry.rows import OF_MODEL, model_name, of_model
from modelyard_server.registry.versions.tables import versions

_DEPLOYMENTS = deployments.c
SUBJECT: Final = Columns(
    table=deployments,
    columns={
        "model": models.c.id,
        "version": versions.c.number,
        **{
            name: deployments.c[name]
            for name in (
                *("service", "environment", "instance", "reference", "observed_digest", "created_by"),
                *("create_time", "update_time", "heartbeat_time"),
            )
        },
    },
)
# Includes deployments of deleted models, and expired ones.
EVERY: Final[Select[Any]] = (
    select(
        deployments,
        namespaces.c.id.label("namespace_id"),
        models.c.id.label("model_id"),
        versions.c.number,
        versions.c.manifest_digest,
    )
    .join_from(deployments, versions)
    .join(models, models.c.key == versions.c.model_key)
    .join(namespaces, namespaces.c.key == models.c.namespace_key)
)

_LIVE = EVERY.where(_DEPLOYMENTS.expire_time > bindparam("now"))
_FIND = _LIVE.where(*OF_MODEL, _DEPLOYMENTS.uid == bindparam("deployment_id"))
# Lock first, then read: a statement that waits for the lock would join the version from before the wait.
_LOCK = _FIND.with_only_columns(_DEPLOYMENTS.key).with_for_update(of=deployments)
_CONSUMER = (
    _DEPLOYMENTS.model_key == bindparam("of_model"),
    _DEPLOYMENTS.service == bindparam("of_service"),
    _DEPLOYMENTS.environment == bindparam("of_environment"),
    _DEPLOYMENTS.instance == bindparam("of_instance"),
)
_LOCK_CONSUMER = select(_DEPLOYMENTS.key).where(*_CONSUMER).with_for_update()
_FIND_CONSUMER = EVERY.where(*_CONSUMER)
# A shared lock: heartbeats of many consumers of one version don't wait for each other, only a deletion waits for them.
_HOLD = (
    select(versions.c.key)
    .join_from(models, versions)
    .join(namespaces, namespaces.c.key == models.c.namespace_key)
    .where(
        *OF_MODEL,
        versions.c.number == bindparam("number"),
        versions.c.delete_time.is_(None),
        models.c.delete_time.is_(None),
    )
    .with_for_update(read=True, of=(models, versions))
)
_OF_VERSION = _LIVE.where(_DEPLOYMENTS.version_key == bindparam("of_version")).order_by(_DEPLOYMENTS.key)
_OF_MODEL = _LIVE.where(_DEPLOYMENTS.model_key == bindparam("of_model")).order_by(_DEPLOYMENTS.key)
_COUNT = select(func.count()).where(
    _DEPLOYMENTS.version_key == bindparam("of_version"), _DEPLOYMENTS.expire_time > bindparam("now")
)
_EXPIRED = (
    select(_DEPLOYMENTS.key)
    .where(_DEPLOYMENTS.expire_time <= bindparam("now"))
    .order_by(_DEPLOYMENTS.expire_time)
    .with_for_update(skip_locked=True)
)
_AHEAD = (
    select(_DEPLOYMENTS.key)
    .where(_DEPLOYMENTS.expire_time > bindparam("latest"), _DEPLOYMENTS.heartbeat_time > bindparam("latest"))
    .order_by(_DEPLOYMENTS.expire_time.desc())
    .with_for_update(skip_locked=True)
)
_INSERT = insert(deployments).returning(_DEPLOYMENTS.key)
_UPDATE = update(deployments).where(_DEPLOYMENTS.key == bindparam("row_key"))


def from_row(row: Row[Any]) -> Deployment:
    model = model_name(row)
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


def _mutable(deployment: Deployment) -> dict[str, Any]:
    return {
        **rows.common_values(deployment),
        "version_key": deployment.version_key,
        "reference": deployment.reference,
        "observed_digest": deployment.observed_digest,
        "lease": deployment.lease,
        "ttl": deployment.ttl,
        "heartbeat_time": deployment.heartbeat_time,
        "expire_time": deployment.expire_time,
    }


class DeploymentRepository:
    def __init__(self, transaction: Transaction) -> None:
        self._connection = transaction.connection

    async def hold(self, version: VersionName) -> bool:
        parameters = of_model(version.model, number=version.number)
        return await self._connection.scalar(_HOLD, parameters) is not None

    async def add(self, deployment: Deployment) -> Deployment:
        values = {
            "model_key": deployment.model_key,
            "namespace_key": deployment.namespace_key,
            "service": deployment.service,
            "environment": deployment.environment,
            "instance": deployment.instance,
            "created_by": deployment.created_by,
            **_mutable(deployment),
        }
        return replace(deployment, key=await self._connection.scalar(_INSERT, values))

    async def update(self, deployment: Deployment) -> None:
        await self._connection.execute(_UPDATE, {"row_key": deployment.key, **_mutable(deployment)})

    async def remove(self, deployment: Deployment) -> None:
        await self._connection.execute(delete(deployments).where(_DEPLOYMENTS.key == deployment.key))

    async def find(self, name: DeploymentName, now: datetime, *, lock: bool = False) -> Deployment | None:
        parameters = of_model(name.model, deployment_id=name.deployment, now=now)
        if lock:
            await self._connection.execute(_LOCK, parameters)
        return await self._one(_FIND, parameters)

    async def find_consumer(self, like: Deployment) -> Deployment | None:
        parameters = {
            "of_model": like.model_key,
            "of_service": like.service,
            "of_environment": like.environment,
            "of_instance": like.instance,
        }
        await self._connection.execute(_LOCK_CONSUMER, parameters)
        return await self._one(_FIND_CONSUMER, parameters)

    async def page(self, parent: Model | Namespace, listing: DeploymentListing) -> list[Deployment]:
        query = _LIVE
        if isinstance(parent, Model):
            # Both conditions, so that a filter by version number finds the version first, and then its deployments.
            query = query.where(_DEPLOYMENTS.model_key == parent.key, versions.c.model_key == parent.key)
        else:
            query = query.where(_DEPLOYMENTS.namespace_key == parent.key)
        if listing.where is not None:
            query = query.where(condition(listing.where, SUBJECT))
        if listing.after is not None:
            query = query.where(_DEPLOYMENTS.key > listing.after)
        return await self._all(query.order_by(_DEPLOYMENTS.key).limit(listing.size), {"now": listing.now})

    async def of_version(self, key: int, now: datetime, limit: int) -> list[Deployment]:
        return await self._all(_OF_VERSION.limit(limit), {"of_version": key, "now": now})

    async def of_model(self, key: int, now: datetime, limit: int) -> list[Deployment]:
        return await self._all(_OF_MODEL.limit(limit), {"of_model": key, "now": now})

    async def count(self, version_key: int, now: datetime) -> int:
        return int(await self._connection.scalar(_COUNT, {"of_version": version_key, "now": now}))

    async def count_of_model(self, model_key: int) -> int:
        query = select(func.count()).where(_DEPLOYMENTS.model_key == model_key)
        return int(await self._connection.scalar(query))

    async def rollout(self, alias: Alias, query: RolloutQuery) -> Rollout:
        of_model = select(versions.c.model_key).where(versions.c.key == alias.version_key)
        held = [_DEPLOYMENTS.model_key == of_model.scalar_subquery(), _DEPLOYMENTS.reference.in_(query.references)]
        if query.environment:
            held.append(_DEPLOYMENTS.environment == query.environment)
        matching = and_(
            _DEPLOYMENTS.version_key == alias.version_key,
            or_(_DEPLOYMENTS.observed_digest == "", _DEPLOYMENTS.observed_digest == alias.manifest_digest),
        )
        now = {"now": query.now}
        counted = select(func.count(), func.count().filter(matching)).where(
            *held, _DEPLOYMENTS.expire_time > bindparam("now")
        )
        total, alike = (await self._connection.execute(counted, now)).one()
        differing = _LIVE.where(*held, ~matching).order_by(_DEPLOYMENTS.key).limit(query.size)
        return Rollout(alias, alike, total - alike, await self._all(differing, now))

    async def expired(self, now: datetime, limit: int) -> list[Deployment]:
        """Deployments that have expired, locked."""
        return await self._locked(_EXPIRED.limit(limit), {"now": now})

    async def ahead(self, latest: datetime, limit: int) -> list[Deployment]:
        """Deployments whose last heartbeat is after ``latest``, locked."""
        return await self._locked(_AHEAD.limit(limit), {"latest": latest})

    async def _locked(self, lock: Select[Any], parameters: dict[str, Any]) -> list[Deployment]:
        keys = (await self._connection.execute(lock, parameters)).scalars().all()
        if not keys:
            return []
        return await self._all(EVERY.where(_DEPLOYMENTS.key.in_(keys)).order_by(_DEPLOYMENTS.key), {})

    async def _one(self, query: Select[Any], parameters: dict[str, Any]) -> Deployment | None:
        row = (await self._connection.execute(query, parameters)).one_or_none()
        return None if row is None else from_row(row)

    async def _all(self, query: Select[Any], parameters: dict[str, Any]) -> list[Deployment]:
        return [from_row(row) for row in await self._connection.execute(query, parameters)]

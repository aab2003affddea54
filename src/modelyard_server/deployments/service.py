"""Deployments: the version that each consumer serves. Each is a lease, which lives as long as heartbeats arrive.

The log has an event when a deployment begins, serves another version, or ends. Heartbeats have no events. An expired
deployment has ended for all readers at once. The sweep removes its row and adds the event, or the next registration of
the same consumer does.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from uuid import uuid4

from modelyard.core.names import PRODUCTION, AliasName, DeploymentName, ModelName, NamespaceName, VersionName
from modelyard.core.references import Reference, Selector
from modelyard_server.calls.caller import SYSTEM, Attempt, Caller
from modelyard_server.calls.errors import Aborted, NotFound, ResourceExhausted
from modelyard_server.calls.resource import check_etag, new_uid
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.deployments.events import DEPLOYMENT, encode_lease
from modelyard_server.deployments.repository import DeploymentRepository
from modelyard_server.deployments.usage.repository import UsageRepository
from modelyard_server.deployments.usage.values import Usage
from modelyard_server.deployments.values import Deployment, DeploymentListing, Rollout, RolloutQuery
from modelyard_server.log.changes import Mutations
from modelyard_server.log.outcomes import SnapshotOutcomes
from modelyard_server.query.listing import Page
from modelyard_server.registry import lookup
from modelyard_server.registry.lookup import named
from modelyard_server.registry.versions.values import Version

_SYSTEM: Final = Attempt(caller=SYSTEM, method="expire", payload_hash="")
_OUTCOMES: Final = SnapshotOutcomes(DEPLOYMENT, encode_lease)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """The fields of a registration."""

    service: str
    environment: str
    instance: str
    version: VersionName
    observed_digest: str
    reference: str
    ttl: float
    """Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The fields of a heartbeat."""

    name: DeploymentName
    lease: str
    version: VersionName | None
    """None if the version has not changed."""
    observed_digest: str
    """Empty if the digest has not changed, or is not known for a new version."""


async def expire(mutations: Mutations, transaction: Transaction, silent: Deployment) -> None:
    """Ends an expired deployment, in a transaction that has locked it."""
    await DeploymentRepository(transaction).remove(silent)
    mutations.record(transaction, _SYSTEM, silent.namespace_key, DEPLOYMENT, "expired", before=silent)


@dataclass(frozen=True, slots=True)
class Deployments:
    mutations: Mutations

    async def register(self, attempt: Attempt, given: Registration) -> Deployment:
        """Registers a consumer with a new lease. An earlier registration of the same consumer loses its lease."""

        async def work(transaction: Transaction) -> Deployment:
            version = await _held(transaction, given.version)
            now = self.mutations.clock()
            wanted = Deployment(
                uid=(uid := new_uid()),
                create_time=now,
                update_time=now,
                name=DeploymentName(given.version.model, uid),
                service=given.service,
                environment=given.environment,
                instance=given.instance,
                version=version.name,
                manifest_digest=version.manifest_digest,
                observed_digest=given.observed_digest,
                reference=given.reference,
                created_by=attempt.actor,
                heartbeat_time=now,
                expire_time=now + timedelta(seconds=given.ttl),
                # A dry run gets no lease, because nothing is stored.
                lease="" if attempt.validate_only else str(uuid4()),
                ttl=given.ttl,
                model_key=version.model_key,
                version_key=version.key,
                namespace_key=version.namespace_key,
            )
            before = await DeploymentRepository(transaction).find_consumer(wanted)
            if before is not None and before.expire_time <= now:
                await expire(self.mutations, transaction, before)
                before = None
            if before is None:
                await self._check_room(transaction, wanted)
                added = await DeploymentRepository(transaction).add(wanted)
                self._log_change(transaction, attempt, None, added)
                return added
            changed = {
                field: getattr(wanted, field)
                for field in (
                    *("version", "version_key", "manifest_digest", "observed_digest", "reference"),
                    *("heartbeat_time", "expire_time", "lease", "ttl"),
                )
            }
            return await self._save(transaction, attempt, before, replace(before, **changed))

        return await self.mutations.run(attempt, work, _OUTCOMES)

    async def _check_room(self, transaction: Transaction, wanted: Deployment) -> None:
        most = self.mutations.limits.deployments
        if await DeploymentRepository(transaction).count_of_model(wanted.model_key) >= most:
            raise ResourceExhausted(
                f"{wanted.name.model} has {most} deployments, the maximum. End deployments of consumers that no longer"
                " run, or register several instances as one.",
                reason="TOO_MANY_DEPLOYMENTS",
                metadata={"limit": str(most)},
                retry_after=60.0,
            )

    async def heartbeat(self, attempt: Attempt, beat: Heartbeat) -> Deployment:
        async def work(transaction: Transaction) -> Deployment:
            before = await DeploymentRepository(transaction).find(beat.name, self.mutations.clock(), lock=True)
            if before is None:
                raise await _not_found(transaction, beat.name)
            if not hmac.compare_digest(beat.lease.encode(), before.lease.encode()):
                raise _lease_lost(before.name)
            version = None
            if beat.version not in {None, before.version}:
                assert beat.version is not None
                version = await _held(transaction, beat.version)
            # It may have expired on a server whose clock is ahead, which then deleted the version.
            gone = version is None and not await DeploymentRepository(transaction).hold(before.version)
            # Read the clock last: a deployment that expired while this call waited for locks stays ended.
            now = self.mutations.clock()
            if gone or before.expire_time <= now:
                raise await _not_found(transaction, beat.name)
            after = replace(before, heartbeat_time=now, expire_time=now + timedelta(seconds=before.ttl))
            if version is not None:
                after = replace(
                    after,
                    version=version.name,
                    version_key=version.key,
                    manifest_digest=version.manifest_digest,
                    observed_digest=beat.observed_digest,
                )
            elif beat.observed_digest:
                after = replace(after, observed_digest=beat.observed_digest)
            return await self._save(transaction, attempt, before, after)

        return await self.mutations.run(attempt, work, _OUTCOMES)

    async def _save(
        self, transaction: Transaction, attempt: Attempt, before: Deployment, after: Deployment
    ) -> Deployment:
        moved = after != before  # ignores its times and its lease
        if moved:
            after = replace(after, update_time=self.mutations.clock(), row_version=before.row_version + 1)
        await DeploymentRepository(transaction).update(after)
        if moved:
            self._log_change(transaction, attempt, before, after)
        return after

    def _log_change(
        self, transaction: Transaction, attempt: Attempt, before: Deployment | None, after: Deployment
    ) -> None:
        verb = "moved" if before else "created"
        self.mutations.record(transaction, attempt, after.namespace_key, DEPLOYMENT, verb, before=before, after=after)
        known = before is not None and _observed(before) == _observed(after)
        if after.mismatched and not known:
            self.mutations.record(transaction, attempt, after.namespace_key, DEPLOYMENT, "mismatched", after=after)

    async def delete(self, attempt: Attempt, name: DeploymentName, *, etag: str, lease: str) -> Deployment:
        async def work(transaction: Transaction) -> Deployment:
            before = await DeploymentRepository(transaction).find(name, self.mutations.clock(), lock=True)
            if before is None:
                raise await _not_found(transaction, name)
            check_etag(before, etag, name)
            if lease and not hmac.compare_digest(lease.encode(), before.lease.encode()):
                raise _lease_lost(name)
            await DeploymentRepository(transaction).remove(before)
            self.mutations.record(transaction, attempt, before.namespace_key, DEPLOYMENT, "deleted", before=before)
            return before

        return await self.mutations.run(attempt, work, _OUTCOMES)

    async def get(self, caller: Caller, name: DeploymentName) -> Deployment:
        async def work(transaction: Transaction) -> Deployment:
            found = await DeploymentRepository(transaction).find(name, self.mutations.clock())
            if found is None:
                raise await _not_found(transaction, name)
            return found

        return await self.mutations.database.look(work)

    async def page(
        self, caller: Caller, parent: ModelName | NamespaceName, listing: DeploymentListing
    ) -> Page[Deployment]:
        async def work(transaction: Transaction) -> Page[Deployment]:
            place = (
                await lookup.namespace(transaction, parent)
                if isinstance(parent, NamespaceName)
                else await lookup.model(transaction, parent)
            )
            one_more = replace(listing, size=listing.size + 1)
            found = await DeploymentRepository(transaction).page(place, one_more)
            return Page.of(found, listing.size, lambda deployment: deployment.key)

        return await self.mutations.database.read(work)

    async def rollout(self, caller: Caller, name: AliasName, *, environment: str) -> Rollout:
        query = RolloutQuery(
            now=self.mutations.clock(),
            references=_meaning(name),
            environment=environment,
            size=self.mutations.limits.rollout_differing,
        )

        async def work(transaction: Transaction) -> Rollout:
            return await DeploymentRepository(transaction).rollout(await lookup.alias(transaction, name), query)

        return await self.mutations.database.read(work)

    async def usage(self, caller: Caller, name: VersionName | AliasName) -> Usage:
        async def work(transaction: Transaction) -> Usage:
            version = await named(transaction, name)
            use = await UsageRepository(transaction).find(version.key)
            return Usage(
                version.name, use, await DeploymentRepository(transaction).count(version.key, self.mutations.clock())
            )

        return await self.mutations.database.read(work)


def _observed(deployment: Deployment) -> tuple[VersionName, str]:
    return deployment.version, deployment.observed_digest


def _meaning(name: AliasName) -> Sequence[str]:
    """The references that follow an alias: the alias itself, none, and for `production` the bare model."""
    selectors = [Reference(name.model, Selector.ALIAS, name.alias)]
    if name.alias == PRODUCTION:
        selectors.append(Reference(name.model, Selector.DEFAULT))
    return ["", *map(str, selectors)]


async def _held(transaction: Transaction, name: VersionName) -> Version:
    """A version that may be served. It is locked against deletion until the commit."""
    held = await DeploymentRepository(transaction).hold(name)
    version = await lookup.servable(transaction, name)
    if not held:  # just restored and not locked: the next try locks it
        raise lookup.version_deleted(name)
    return version


async def _not_found(transaction: Transaction, name: DeploymentName) -> NotFound:
    await lookup.model(transaction, name.model)
    return NotFound(
        f"There is no live deployment {name.deployment} of {name.model}. Register the consumer again.",
        reason="DEPLOYMENT_NOT_FOUND",
        kind="Deployment",
        name=str(name),
    )


def _lease_lost(name: DeploymentName) -> Aborted:
    return Aborted(
        f"This lease of {name} is no longer valid: another process registered with the same service, environment and"
        " instance. Give each process its own instance.",
        reason="LEASE_LOST",
        metadata={"resource": str(name)},
    )

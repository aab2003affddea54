"""Aliases: a move is a compare-and-set."""

from dataclasses import dataclass, replace
from datetime import datetime

from modelyard.core.names import AliasName, ModelName, VersionName
from modelyard_server.calls.errors import Aborted, FailedPrecondition, PreconditionViolation
from modelyard_server.db.protocols import StoredOutcome, Transaction
from modelyard_server.log import history
from modelyard_server.log.changes import Attempt, Mutations, check_etag, new_uid
from modelyard_server.log.codec import alias_from_snapshot
from modelyard_server.query.paging import Page
from modelyard_server.registry import lookup
from modelyard_server.registry.values import Alias, Model, Version, VersionState


async def _restore(_transaction: Transaction, outcome: StoredOutcome) -> Alias:
    return replace(alias_from_snapshot(dict(outcome.snapshot)), key=outcome.key)


@dataclass(frozen=True, slots=True)
class Precondition:
    """What must hold for an alias to move."""

    etag: str = ""
    create_only: bool = False
    manifest_digest: str = ""


@dataclass(frozen=True, slots=True)
class Aliases:
    mutations: Mutations

    async def get(self, name: AliasName) -> Alias:
        return await self.mutations.database.look(lambda transaction: lookup.alias(transaction, name))

    async def get_at(self, name: AliasName, time: datetime) -> Alias:
        """The alias as it was at a time, by the log."""
        return await self.mutations.database.read(lambda transaction: history.alias_at(transaction, name, time))

    async def roll_back(self, attempt: Attempt, name: AliasName, *, etag: str, reason: str) -> Alias:
        """Points the alias at what it pointed at before its last move that was not rolled back yet."""

        async def work(transaction: Transaction) -> Alias:
            model = await lookup.model(transaction, name.model)
            before = await lookup.alias(transaction, name, lock=True)
            check_etag(before, etag, name)
            earlier = await history.target_before(transaction, name)
            target = await lookup.version(transaction, earlier, lock=True)
            _check_target(target, "")
            return await self._move(
                transaction, attempt, model, name, target, before=before, event="alias.rolled_back", reason=reason
            )

        return await self.mutations.run(attempt, work, _restore)

    async def page(self, parent: ModelName, *, after: str, size: int) -> Page[Alias]:
        async def work(transaction: Transaction) -> Page[Alias]:
            model = await lookup.model(transaction, parent)
            return Page.of(await transaction.aliases.page(model.key, after=after, limit=size + 1), size)

        return await self.mutations.database.read(work)

    async def set(
        self, attempt: Attempt, name: AliasName, version: VersionName, *, only_if: Precondition, reason: str
    ) -> Alias:
        async def work(transaction: Transaction) -> Alias:
            model = await lookup.model(transaction, name.model)
            # Locked, so that it can't be deleted between this check and the commit: an alias never dangles.
            target = await lookup.version(transaction, version, lock=True)
            _check_target(target, only_if.manifest_digest)
            return await self.point(transaction, attempt, model, name, target, only_if=only_if, reason=reason)

        return await self.mutations.run(attempt, work, _restore)

    async def point(
        self,
        transaction: Transaction,
        attempt: Attempt,
        model: Model,
        name: AliasName,
        target: Version,
        *,
        only_if: Precondition,
        reason: str = "",
    ) -> Alias:
        """Moves or creates the alias within a transaction that has locked ``target``."""
        before = await transaction.aliases.find(name, lock=True)
        if before is None:
            if only_if.etag:
                raise lookup.alias_not_found(name)
        elif only_if.create_only:
            raise Aborted(
                f"{name} is set already (its etag is {before.etag}); read it, then decide",
                reason="ETAG_MISMATCH",
                metadata={"resource": str(name), "etag": "", "currentEtag": before.etag},
            )
        else:
            check_etag(before, only_if.etag, name)
            if before.version_key == target.key:
                return before
        event = "alias.moved" if before else "alias.created"
        return await self._move(transaction, attempt, model, name, target, before=before, event=event, reason=reason)

    async def _move(
        self,
        transaction: Transaction,
        attempt: Attempt,
        model: Model,
        name: AliasName,
        target: Version,
        *,
        before: Alias | None,
        event: str,
        reason: str,
    ) -> Alias:
        now = self.mutations.clock()
        after = Alias(
            uid=before.uid if before else new_uid(),
            create_time=before.create_time if before else now,
            update_time=now,
            row_version=before.row_version + 1 if before else 1,
            key=before.key if before else 0,
            name=name,
            version=target.name,
            manifest_digest=target.manifest_digest,
            updated_by=attempt.actor,
            version_key=target.key,
        )
        if before is None:
            after = await transaction.aliases.add(after, model.key)
        else:
            await transaction.aliases.update(after)
        self.mutations.record(
            transaction, attempt, model.namespace_key, event, before=before, after=after, reason=reason
        )
        return after

    async def delete(self, attempt: Attempt, name: AliasName, *, etag: str, reason: str) -> Alias:
        async def work(transaction: Transaction) -> Alias:
            model = await lookup.model(transaction, name.model)
            before = await lookup.alias(transaction, name, lock=True)
            check_etag(before, etag, name)
            await transaction.aliases.remove(before)
            self.mutations.record(
                transaction, attempt, model.namespace_key, "alias.deleted", before=before, reason=reason
            )
            return before

        return await self.mutations.run(attempt, work, _restore)


def _check_target(target: Version, expected_digest: str) -> None:
    if target.state is VersionState.QUARANTINED:
        raise FailedPrecondition(
            f"{target.name} is quarantined; no alias may point at it",
            reason="QUARANTINED",
            violations=[PreconditionViolation("STATE", str(target.name), "the version is quarantined")],
            metadata={"resource": str(target.name)},
        )
    if expected_digest and expected_digest != target.manifest_digest:
        raise digest_changed(target, expected_digest)


def digest_changed(version: Version, expected: str) -> FailedPrecondition:
    return FailedPrecondition(
        f"{version.name} has the manifest digest {version.manifest_digest}, not {expected}",
        reason="DIGEST_CHANGED",
        violations=[PreconditionViolation("DIGEST", str(version.name), "the manifest digest is another")],
        metadata={"resource": str(version.name), "expected": expected, "actual": version.manifest_digest},
    )

"""Creates, reads, updates, deprecates, quarantines, releases, deletes and restores versions."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from modelyard.core.facts import Parent
from modelyard.core.manifest import File, manifest_digest
from modelyard.core.names import AliasName, ModelName, NamespaceName, VersionName
from modelyard_server.calls.caller import Attempt, Caller
from modelyard_server.calls.errors import (
    AlreadyExists,
    FailedPrecondition,
    FieldViolation,
    InvalidArgument,
    PreconditionViolation,
)
from modelyard_server.calls.offload import offload
from modelyard_server.calls.resource import check_etag, new_uid
from modelyard_server.db.requests import StoredOutcome
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.log.changes import Mutations
from modelyard_server.log.values import Json
from modelyard_server.query.listing import Listing, Page
from modelyard_server.registry import lookup
from modelyard_server.registry.aliases.service import Aliases, Precondition
from modelyard_server.registry.guards import BlobDamage, DeleteGuard, StoredBlobs
from modelyard_server.registry.lookup import digest_changed, named, read_files, with_few_files, with_files
from modelyard_server.registry.models.repository import ModelRepository
from modelyard_server.registry.models.values import Model
from modelyard_server.registry.versions.events import VERSION
from modelyard_server.registry.versions.recorded import Recorded
from modelyard_server.registry.versions.repository import VersionRepository
from modelyard_server.registry.versions.sizes import check_size
from modelyard_server.registry.versions.unchanged import check_same_facts
from modelyard_server.registry.versions.values import NewVersion, Version, VersionState


class _Outcomes:
    """See :class:`~modelyard_server.log.changes.Outcomes`. Files never change: they are read again."""

    @staticmethod
    def store(version: Version) -> Json:
        return VERSION.encode(version)

    @staticmethod
    async def restore(transaction: Transaction, outcome: StoredOutcome) -> Version:
        return await with_files(transaction, replace(VERSION.decode(dict(outcome.snapshot)), key=outcome.key))


_OUTCOMES: Final = _Outcomes()


@dataclass(frozen=True, slots=True)
class Versions:
    mutations: Mutations
    aliases: Aliases
    stored: StoredBlobs
    damage: BlobDamage
    guards: tuple[DeleteGuard, ...]

    async def create(self, attempt: Attempt, new: NewVersion) -> Version:
        digest = await offload(len(new.files), manifest_digest, new.files)
        # Before the transaction, which must not wait for a disk.
        digests = {file.digest for file in new.files}
        damaged = await self.damage.damaged_among(NamespaceName(new.parent.namespace), digests)

        async def work(transaction: Transaction) -> Version:
            # Lock the model: commits of one model wait here, so that its version numbers have no gaps.
            model = await lookup.model(transaction, new.parent, lock=True)
            _check_present({(file.digest, file.size) for file in new.files if file.digest in damaged})
            target = await self._unchanged(transaction, new, digest) if new.if_changed else None
            if target is not None:
                check_same_facts(new, target)
            else:
                target = await self._commit(transaction, attempt, model, new, digest)
            for alias_id in new.alias_ids:
                alias = AliasName(new.parent, alias_id)
                await self.aliases.point(transaction, attempt, model, alias, target, only_if=Precondition())
            return replace(target, aliases=tuple(sorted({*target.aliases, *new.alias_ids})))

        return await self.mutations.run(attempt, work, _OUTCOMES)

    @staticmethod
    async def _unchanged(transaction: Transaction, new: NewVersion, digest: str) -> Version | None:
        latest = await VersionRepository(transaction).find_latest(new.parent)
        if latest is None or latest.manifest_digest != digest:
            return None
        locked = await lookup.version(transaction, latest.name, lock=True)
        return await with_files(transaction, locked)

    async def _commit(
        self, transaction: Transaction, attempt: Attempt, model: Model, new: NewVersion, digest: str
    ) -> Version:
        await self._check_blobs(transaction, model.namespace_key, new.files)
        parents = tuple([await _pinned(transaction, parent) for parent in new.facts.parents])
        facts = replace(new.facts, parents=parents)
        now = self.mutations.clock()
        created = await VersionRepository(transaction).add(
            Version(
                uid=new_uid(),
                create_time=now,
                update_time=now,
                name=new.parent.version(await ModelRepository(transaction).allocate_number(model.key)),
                live_state=VersionState.READY,
                files=tuple(sorted(new.files)),
                file_count=len(new.files),
                total_size=sum(file.size for file in new.files),
                manifest_digest=digest,
                recorded=Recorded.of(facts),
                created_by=attempt.actor,
                description=new.description,
                labels=new.labels,
                annotations=new.annotations,
                model_key=model.key,
                namespace_key=model.namespace_key,
            )
        )
        self.mutations.record(transaction, attempt, model.namespace_key, VERSION, "created", after=created)
        return created

    async def _check_blobs(self, transaction: Transaction, namespace_key: int, files: Sequence[File]) -> None:
        digests = {file.digest for file in files}
        held = await self.stored.held_sizes(transaction, namespace_key, digests, lock=True)
        _check_present({(file.digest, file.size) for file in files if file.digest not in held})
        wrong = [(index, file, held[file.digest]) for index, file in enumerate(files) if held[file.digest] != file.size]
        if wrong:
            _, first, actual = wrong[0]
            raise InvalidArgument(
                [
                    FieldViolation(
                        f"version.files[{index}].blob.size_bytes",
                        f"{file.digest} has {size} bytes, not {file.size}",
                    )
                    for index, file, size in wrong
                ],
                reason="SIZE_MISMATCH",
                metadata={"expected": str(first.size), "actual": str(actual)},
            )

    async def get(self, caller: Caller, name: VersionName | AliasName, *, files: bool) -> Version:
        """With ``files`` the version has them if they are few; :meth:`read_files` reads many."""

        async def work(transaction: Transaction) -> Version:
            found = await named(transaction, name)
            return await with_few_files(transaction, found) if files else found

        return await self.mutations.database.look(work)

    async def read_files(self, version: Version) -> tuple[File, ...]:
        return await read_files(self.mutations.database, version)

    async def page(
        self, caller: Caller, parent: ModelName | NamespaceName, listing: Listing, *, files: bool
    ) -> Page[Version]:
        """A page of the versions of a model, or of all models of a namespace.

        With ``files`` it ends early, but not before one version, at about ``list_bytes``.
        """

        async def work(transaction: Transaction) -> Page[Version]:
            if isinstance(parent, NamespaceName):
                namespace = await lookup.namespace(transaction, parent)
                page = await VersionRepository(transaction).page_of_all(namespace.key, listing)
            else:
                page = await VersionRepository(transaction).page(await lookup.model(transaction, parent), listing)
            return await self._with_files(transaction, page) if files else page

        return await self.mutations.database.read(work)

    async def _with_files(self, transaction: Transaction, page: Page[Version]) -> Page[Version]:
        full: list[Version] = []
        taken = 0
        for version in page.items:
            # Approximate size of a file in a message: its path, digest and size, and the framing.
            size = version.file_count * 150
            if full and taken + size > self.mutations.limits.list_bytes:
                break
            taken += size
            full.append(await with_files(transaction, version))
        return replace(page.cut(full), bytes=page.bytes + taken)

    async def update(
        self, attempt: Attempt, name: VersionName, patch: Callable[[Version], Version], etag: str
    ) -> Version:
        def patched(version: Version) -> Version:
            after = patch(version)
            check_size(version, after, self.mutations.limits.resource_bytes)
            return after

        return await self._change(attempt, name, etag, "updated", patched)

    async def deprecate(self, attempt: Attempt, name: VersionName, *, reason: str, etag: str) -> Version:
        def deprecated(version: Version) -> Version:
            if version.state is not VersionState.READY:
                raise _illegal(version, "Only a READY version can be deprecated.")
            return replace(version, live_state=VersionState.DEPRECATED, deprecation_reason=reason)

        return await self._change(attempt, name, etag, "deprecated", deprecated, reason=reason)

    async def quarantine(self, attempt: Attempt, name: VersionName, *, reason: str, etag: str) -> Version:
        """Works whatever uses the version: this is the emergency brake."""

        def quarantined(version: Version) -> Version:
            if version.state is VersionState.QUARANTINED:
                raise _illegal(version, "Release it first to quarantine it again.")
            return replace(
                version,
                live_state=VersionState.QUARANTINED,
                released_state=version.live_state,
                quarantine_reason=reason,
            )

        return await self._change(attempt, name, etag, "quarantined", quarantined, reason=reason)

    async def release(self, attempt: Attempt, name: VersionName, *, reason: str, etag: str) -> Version:
        def released(version: Version) -> Version:
            if version.state is not VersionState.QUARANTINED:
                raise _illegal(version, "Only a QUARANTINED version can be released.")
            return replace(
                version,
                live_state=version.released_state or VersionState.READY,
                released_state=None,
                quarantine_reason="",
            )

        return await self._change(attempt, name, etag, "released", released, reason=reason)

    async def delete(self, attempt: Attempt, name: VersionName, *, etag: str) -> Version:
        def deleted(version: Version) -> Version:
            if version.aliases:
                raise FailedPrecondition(
                    f"{name} can't be deleted: aliases point to it, {', '.join(version.aliases)}. Move or delete them"
                    " first.",
                    reason="VERSION_IN_USE",
                    violations=[
                        PreconditionViolation("ALIAS", str(name.model.alias(alias)), "points to the version")
                        for alias in version.aliases
                    ],
                    metadata={
                        "resource": str(name),
                        "usedBy": ",".join(str(name.model.alias(each)) for each in version.aliases),
                    },
                )
            purge_time = self.mutations.later(self.mutations.limits.purge_after)
            return replace(version, delete_time=self.mutations.clock(), purge_time=purge_time)

        async def work(transaction: Transaction) -> Version:
            found = await lookup.version(transaction, name, lock=True)
            check_etag(found, etag, name)
            for guard in self.guards:
                await guard.check_version_deletion(self.mutations, transaction, found)
            before = await with_files(transaction, found)
            return await self._save(transaction, attempt, "deleted", before, deleted(before))

        return await self.mutations.run(attempt, work, _OUTCOMES)

    async def undelete(self, attempt: Attempt, name: VersionName, *, etag: str) -> Version:
        def restored(version: Version) -> Version:
            if version.delete_time is None:
                raise AlreadyExists(
                    f"{name} is not deleted, so it can't be restored.",
                    reason="NOT_DELETED",
                    kind="Version",
                    name=str(name),
                )
            return replace(version, delete_time=None, purge_time=None)

        return await self._change(attempt, name, etag, "restored", restored, deleted=True)

    async def _change(
        self,
        attempt: Attempt,
        name: VersionName,
        etag: str,
        verb: str,
        patch: Callable[[Version], Version],
        *,
        reason: str = "",
        deleted: bool = False,
    ) -> Version:
        async def work(transaction: Transaction) -> Version:
            found = await lookup.version(transaction, name, lock=True, deleted=deleted)
            check_etag(found, etag, name)
            before = await with_files(transaction, found)
            after = patch(before)
            if after == before:
                return before
            return await self._save(transaction, attempt, verb, before, after, reason=reason)

        return await self.mutations.run(attempt, work, _OUTCOMES)

    async def _save(
        self,
        transaction: Transaction,
        attempt: Attempt,
        verb: str,
        before: Version,
        after: Version,
        *,
        reason: str = "",
    ) -> Version:
        after = replace(after, update_time=self.mutations.clock(), row_version=before.row_version + 1)
        await VersionRepository(transaction).update(after)
        self.mutations.record(
            transaction, attempt, before.namespace_key, VERSION, verb, before=before, after=after, reason=reason
        )
        return after


def _check_present(missing: Collection[tuple[str, int]]) -> None:
    if missing:
        raise FailedPrecondition(
            f"{len(missing)} blobs of the files are not stored in this namespace. Upload them, then try again.",
            reason="MISSING_BLOBS",
            violations=[
                PreconditionViolation("MISSING", f"blobs/{digest}/{size}", "not stored in this namespace")
                for digest, size in sorted(missing)
            ],
            metadata={"missingCount": str(len(missing))},
        )


def _illegal(version: Version, rule: str) -> FailedPrecondition:
    state, name = version.state.value, str(version.name)
    return FailedPrecondition(
        f"{name} is {state}. {rule}",
        reason="ILLEGAL_TRANSITION",
        violations=[PreconditionViolation("STATE", name, f"the version is {state}")],
        metadata={"resource": name, "state": state},
    )


async def _pinned(transaction: Transaction, parent: Parent) -> Parent:
    version = await lookup.version(transaction, VersionName.parse(parent.version))
    if parent.manifest_digest and parent.manifest_digest != version.manifest_digest:
        raise digest_changed(version, parent.manifest_digest)
    return replace(parent, manifest_digest=version.manifest_digest)

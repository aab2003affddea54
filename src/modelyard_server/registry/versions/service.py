"""Versions: commit, read, update, deprecate, delete, restore."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from modelyard.core.facts import Facts, Parent
from modelyard.core.manifest import File, manifest_digest
from modelyard.core.names import AliasName, ModelName, NamespaceName, VersionName
from modelyard_server.calls.errors import (
    AlreadyExists,
    FailedPrecondition,
    FieldViolation,
    InvalidArgument,
    PreconditionViolation,
)
from modelyard_server.comparison.values import Comparison, compare
from modelyard_server.db.protocols import StoredOutcome, Transaction
from modelyard_server.log.changes import Attempt, Mutations, check_etag, new_uid
from modelyard_server.log.codec import version_from_snapshot
from modelyard_server.query.listing import Listed, Listing
from modelyard_server.registry import lookup
from modelyard_server.registry.aliases.service import Aliases, Precondition, digest_changed
from modelyard_server.registry.values import Model, Version, VersionState


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """What a caller wants to commit."""

    parent: ModelName
    files: tuple[File, ...]
    facts: Facts
    description: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    alias_ids: Sequence[str] = ()
    if_changed: bool = False


async def _restore(transaction: Transaction, outcome: StoredOutcome) -> Version:
    version = version_from_snapshot(dict(outcome.snapshot))
    return replace(version, key=outcome.key, files=await transaction.versions.files(outcome.key))


async def named(transaction: Transaction, name: VersionName | AliasName) -> Version:
    """The version, also a deleted one, or what the alias points at."""
    if isinstance(name, AliasName):
        return (await lookup.follow(transaction, name))[0]
    return await lookup.version(transaction, name, deleted=True)


async def with_files(transaction: Transaction, version: Version) -> Version:
    return replace(version, files=await transaction.versions.files(version.key))


@dataclass(frozen=True, slots=True)
class Versions:
    mutations: Mutations
    aliases: Aliases

    async def create(self, attempt: Attempt, new: NewVersion) -> Version:
        digest = manifest_digest(new.files)

        async def work(transaction: Transaction) -> Version:
            # Locked for the number: commits of one model queue here, and its numbers have no gaps.
            model = await lookup.model(transaction, new.parent, lock=True)
            target = await self._unchanged(transaction, new, digest) if new.if_changed else None
            if target is None:
                target = await self._commit(transaction, attempt, model, new, digest)
            for alias_id in new.alias_ids:
                alias = AliasName(new.parent, alias_id)
                await self.aliases.point(transaction, attempt, model, alias, target, only_if=Precondition())
            return replace(target, aliases=tuple(sorted({*target.aliases, *new.alias_ids})))

        return await self.mutations.run(attempt, work, _restore)

    @staticmethod
    async def _unchanged(transaction: Transaction, new: NewVersion, digest: str) -> Version | None:
        latest = await transaction.versions.find_latest(new.parent)
        if latest is None or latest.manifest_digest != digest:
            return None
        locked = await lookup.version(transaction, latest.name, lock=True)
        return await with_files(transaction, locked)

    async def _commit(
        self, transaction: Transaction, attempt: Attempt, model: Model, new: NewVersion, digest: str
    ) -> Version:
        await _check_blobs(transaction, model.namespace_key, new.files)
        parents = tuple([await _pinned(transaction, parent) for parent in new.facts.parents])
        now = self.mutations.clock()
        created = await transaction.versions.add(
            Version(
                uid=new_uid(),
                create_time=now,
                update_time=now,
                name=new.parent.version(await transaction.models.allocate_number(model.key)),
                live_state=VersionState.READY,
                files=tuple(sorted(new.files)),
                file_count=len(new.files),
                total_size=sum(file.size for file in new.files),
                manifest_digest=digest,
                facts=replace(new.facts, parents=parents),
                created_by=attempt.actor,
                description=new.description,
                labels=new.labels,
                annotations=new.annotations,
                model_key=model.key,
                namespace_key=model.namespace_key,
            )
        )
        self.mutations.record(transaction, attempt, model.namespace_key, "version.created", after=created)
        return created

    async def get(self, name: VersionName | AliasName, *, files: bool) -> Version:
        async def work(transaction: Transaction) -> Version:
            found = await named(transaction, name)
            return await with_files(transaction, found) if files else found

        return await self.mutations.database.look(work)

    async def compare(self, base: VersionName | AliasName, other: VersionName | AliasName) -> Comparison:
        async def work(transaction: Transaction) -> Comparison:
            found = [await named(transaction, name) for name in (base, other)]
            return compare(*[await with_files(transaction, version) for version in found])

        return await self.mutations.database.read(work)

    async def page(self, parent: ModelName | NamespaceName, listing: Listing, *, files: bool) -> Listed[Version]:
        """Of a model, or of all models of a namespace.

        With ``files`` it ends early, but not before one version, at about ``list_bytes``.
        """

        async def work(transaction: Transaction) -> Listed[Version]:
            if isinstance(parent, NamespaceName):
                namespace = await lookup.namespace(transaction, parent)
                page = await transaction.versions.page_of_all(namespace.key, listing)
            else:
                page = await transaction.versions.page(await lookup.model(transaction, parent), listing)
            return await self._with_files(transaction, page) if files else page

        return await self.mutations.database.read(work)

    async def _with_files(self, transaction: Transaction, page: Listed[Version]) -> Listed[Version]:
        full: list[Version] = []
        room = self.mutations.limits.list_bytes
        for version in page.items:
            # About what a file takes in a message: its path, its digest, its size and the framing.
            room -= version.file_count * 150
            if full and room < 0:
                break
            full.append(await with_files(transaction, version))
        return page.cut(full)

    async def update(
        self, attempt: Attempt, name: VersionName, patch: Callable[[Version], Version], etag: str
    ) -> Version:
        return await self._change(attempt, name, etag, "version.updated", patch)

    async def deprecate(self, attempt: Attempt, name: VersionName, *, reason: str, etag: str) -> Version:
        def deprecated(version: Version) -> Version:
            if version.state is not VersionState.READY:
                raise FailedPrecondition(
                    f"only a READY version can be deprecated, and {name} is {version.state.value}",
                    reason="ILLEGAL_TRANSITION",
                    violations=[PreconditionViolation("STATE", str(name), f"the version is {version.state.value}")],
                    metadata={"resource": str(name), "state": version.state.value},
                )
            return replace(version, live_state=VersionState.DEPRECATED, deprecation_reason=reason)

        return await self._change(attempt, name, etag, "version.deprecated", deprecated, reason=reason)

    async def delete(self, attempt: Attempt, name: VersionName, *, etag: str) -> Version:
        def deleted(version: Version) -> Version:
            if version.aliases:
                raise FailedPrecondition(
                    f"{name} is what {', '.join(version.aliases)} points at; move or delete that first",
                    reason="VERSION_IN_USE",
                    violations=[
                        PreconditionViolation("ALIAS", str(name.model.alias(alias)), "points at the version")
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
            if children := await transaction.versions.children([found.key], lookup.BLOCKERS, live=True):
                raise lookup.has_children(name, children)
            now = self.mutations.clock()
            if deployments := await transaction.deployments.of_version(found.key, now, lookup.BLOCKERS):
                raise lookup.is_served(name, deployments)
            before = await with_files(transaction, found)
            return await self._save(transaction, attempt, "version.deleted", before, deleted(before))

        return await self.mutations.run(attempt, work, _restore)

    async def undelete(self, attempt: Attempt, name: VersionName, *, etag: str) -> Version:
        def restored(version: Version) -> Version:
            if version.delete_time is None:
                raise AlreadyExists(f"{name} is not deleted", reason="NOT_DELETED", kind="Version", name=str(name))
            return replace(version, delete_time=None, purge_time=None)

        return await self._change(attempt, name, etag, "version.restored", restored, deleted=True)

    async def _change(
        self,
        attempt: Attempt,
        name: VersionName,
        etag: str,
        event: str,
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
            return await self._save(transaction, attempt, event, before, after, reason=reason)

        return await self.mutations.run(attempt, work, _restore)

    async def _save(
        self,
        transaction: Transaction,
        attempt: Attempt,
        event: str,
        before: Version,
        after: Version,
        *,
        reason: str = "",
    ) -> Version:
        after = replace(after, update_time=self.mutations.clock(), row_version=before.row_version + 1)
        await transaction.versions.update(after)
        self.mutations.record(
            transaction, attempt, before.namespace_key, event, before=before, after=after, reason=reason
        )
        return after


async def _check_blobs(transaction: Transaction, namespace_key: int, files: Sequence[File]) -> None:
    held = await transaction.blobs.visible(namespace_key, {file.digest for file in files}, lock=True)
    missing = {(file.digest, file.size) for file in files if file.digest not in held}
    if missing:
        raise FailedPrecondition(
            f"{len(missing)} of the files' blobs are not stored in this namespace; upload them, then commit again",
            reason="MISSING_BLOBS",
            violations=[
                PreconditionViolation("MISSING", f"blobs/{digest}/{size}", "not stored in this namespace")
                for digest, size in sorted(missing)
            ],
            metadata={"missingCount": str(len(missing))},
        )
    wrong = [(index, file, held[file.digest]) for index, file in enumerate(files) if held[file.digest] != file.size]
    if wrong:
        _, first, actual = wrong[0]
        raise InvalidArgument(
            [
                FieldViolation(
                    f"version.files[{index}].blob.size_bytes", f"{file.digest} is {size} bytes long, not {file.size}"
                )
                for index, file, size in wrong
            ],
            reason="SIZE_MISMATCH",
            metadata={"expected": str(first.size), "actual": str(actual)},
        )


async def _pinned(transaction: Transaction, parent: Parent) -> Parent:
    version = await lookup.version(transaction, VersionName.parse(parent.version))
    if parent.manifest_digest and parent.manifest_digest != version.manifest_digest:
        raise digest_changed(version, parent.manifest_digest)
    return replace(parent, manifest_digest=version.manifest_digest)

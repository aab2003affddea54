"""Models: create, read, update, delete, restore."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from modelyard.core.names import ModelName, NamespaceName
from modelyard_server.calls.errors import (
    AlreadyExists,
    FailedPrecondition,
    PreconditionViolation,
)
from modelyard_server.db.protocols import StoredOutcome, Transaction
from modelyard_server.log.changes import Attempt, Mutations, check_etag, new_uid
from modelyard_server.log.codec import model_from_snapshot
from modelyard_server.query.listing import Listed, Listing
from modelyard_server.registry import lookup
from modelyard_server.registry.lookup import BLOCKERS, has_children, is_served
from modelyard_server.registry.values import Model


async def _restore(_transaction: Transaction, outcome: StoredOutcome) -> Model:
    return replace(model_from_snapshot(dict(outcome.snapshot)), key=outcome.key)


@dataclass(frozen=True, slots=True)
class Models:
    mutations: Mutations

    async def create(self, attempt: Attempt, model: Model) -> Model:
        """Creates ``model``, whose uid and times are set here."""

        async def work(transaction: Transaction) -> Model:
            namespace = await lookup.namespace(transaction, NamespaceName(model.name.namespace))
            existing = await transaction.models.find(model.name)
            if existing is not None:
                hint = "; it is deleted: restore it, or choose another id" if existing.delete_time else ""
                raise AlreadyExists(
                    f"there is a model {model.name.model!r} in namespace {model.name.namespace!r} already{hint}",
                    reason="MODEL_EXISTS",
                    kind="Model",
                    name=str(model.name),
                )
            now = self.mutations.clock()
            created = await transaction.models.add(
                replace(model, uid=new_uid(), create_time=now, update_time=now, namespace_key=namespace.key)
            )
            self.mutations.record(transaction, attempt, namespace.key, "model.created", after=created)
            return created

        return await self.mutations.run(attempt, work, _restore)

    async def get(self, name: ModelName) -> Model:
        return await self.mutations.database.look(lambda transaction: lookup.model(transaction, name, deleted=True))

    async def page(self, parent: NamespaceName, listing: Listing) -> Listed[Model]:
        async def work(transaction: Transaction) -> Listed[Model]:
            namespace = await lookup.namespace(transaction, parent)
            return await transaction.models.page(namespace.key, listing)

        return await self.mutations.database.read(work)

    async def update(self, attempt: Attempt, name: ModelName, patch: Callable[[Model], Model], etag: str) -> Model:
        return await self._change(attempt, name, etag, "model.updated", patch)

    async def search(self, parent: NamespaceName, words: list[str], listing: Listing) -> Listed[Model]:
        async def work(transaction: Transaction) -> Listed[Model]:
            namespace = await lookup.namespace(transaction, parent)
            return await transaction.models.search(namespace.key, words, listing)

        return await self.mutations.database.read(work)

    async def delete(self, attempt: Attempt, name: ModelName, *, etag: str, force: bool) -> Model:
        async def work(transaction: Transaction) -> Model:
            before = await lookup.model(transaction, name, lock=True)
            check_etag(before, etag, name)
            if not force and await transaction.models.has_versions(before.key):
                raise FailedPrecondition(
                    f"{name} has versions; delete them first, or set force to hide them with it",
                    reason="MODEL_NOT_EMPTY",
                    violations=[PreconditionViolation("NOT_EMPTY", str(name), "the model has versions")],
                    metadata={"resource": str(name)},
                )
            if children := await transaction.versions.children_elsewhere(before.key, BLOCKERS):
                raise has_children(name, children)
            if deployments := await transaction.deployments.of_model(before.key, self.mutations.clock(), BLOCKERS):
                raise is_served(name, deployments)
            purge_time = self.mutations.later(self.mutations.limits.purge_after)
            after = replace(before, delete_time=self.mutations.clock(), purge_time=purge_time)
            return await self._save(transaction, attempt, "model.deleted", before, after)

        return await self.mutations.run(attempt, work, _restore)

    async def undelete(self, attempt: Attempt, name: ModelName, *, etag: str) -> Model:
        def restored(model: Model) -> Model:
            if model.delete_time is None:
                raise AlreadyExists(f"{name} is not deleted", reason="NOT_DELETED", kind="Model", name=str(name))
            return replace(model, delete_time=None, purge_time=None)

        return await self._change(attempt, name, etag, "model.restored", restored, deleted=True)

    async def _change(
        self,
        attempt: Attempt,
        name: ModelName,
        etag: str,
        event: str,
        patch: Callable[[Model], Model],
        *,
        deleted: bool = False,
    ) -> Model:
        async def work(transaction: Transaction) -> Model:
            before = await lookup.model(transaction, name, lock=True, deleted=deleted)
            check_etag(before, etag, name)
            after = patch(before)
            return before if after == before else await self._save(transaction, attempt, event, before, after)

        return await self.mutations.run(attempt, work, _restore)

    async def _save(self, transaction: Transaction, attempt: Attempt, event: str, before: Model, after: Model) -> Model:
        after = replace(after, update_time=self.mutations.clock(), row_version=before.row_version + 1)
        await transaction.models.update(after)
        self.mutations.record(transaction, attempt, before.namespace_key, event, before=before, after=after)
        return after

"""Creates, reads, updates, deletes and restores models."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from modelyard.core.names import ModelName, NamespaceName
from modelyard_server.calls.caller import Attempt, Caller
from modelyard_server.calls.errors import AlreadyExists, FailedPrecondition, PreconditionViolation
from modelyard_server.calls.resource import check_etag, new_uid
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.log.changes import Mutations
from modelyard_server.log.outcomes import SnapshotOutcomes
from modelyard_server.query.listing import Listing, Page
from modelyard_server.registry import lookup
from modelyard_server.registry.aliases.moves import AliasMoves
from modelyard_server.registry.guards import DeleteGuard
from modelyard_server.registry.models.events import MODEL
from modelyard_server.registry.models.repository import ModelRepository
from modelyard_server.registry.models.values import Model

_OUTCOMES: Final = SnapshotOutcomes(MODEL, lambda model: {"aliases": dict(model.aliases)})


@dataclass(frozen=True, slots=True)
class Models:
    mutations: Mutations
    moves: AliasMoves
    guards: tuple[DeleteGuard, ...]

    async def create(self, attempt: Attempt, model: Model) -> Model:
        """Creates ``model``, and sets its uid and times."""

        async def work(transaction: Transaction) -> Model:
            namespace = await lookup.namespace(transaction, NamespaceName(model.name.namespace), hold=True)
            existing = await ModelRepository(transaction).find(model.name)
            if existing is not None:
                hint = ", which is deleted. Restore it, or use another id" if existing.delete_time else ""
                raise AlreadyExists(
                    f"Namespace {model.name.namespace!r} already has a model {model.name.model!r}{hint}.",
                    reason="MODEL_EXISTS",
                    kind="Model",
                    name=str(model.name),
                )
            now = self.mutations.clock()
            created = await ModelRepository(transaction).add(
                replace(model, uid=new_uid(), create_time=now, update_time=now, namespace_key=namespace.key)
            )
            self.mutations.record(transaction, attempt, namespace.key, MODEL, "created", after=created)
            return created

        return await self.mutations.run(attempt, work, _OUTCOMES)

    async def get(self, caller: Caller, name: ModelName) -> Model:
        return await self.mutations.database.look(lambda transaction: lookup.model(transaction, name, deleted=True))

    async def page(self, caller: Caller, parent: NamespaceName, listing: Listing) -> Page[Model]:
        async def work(transaction: Transaction) -> Page[Model]:
            namespace = await lookup.namespace(transaction, parent)
            return await ModelRepository(transaction).page(namespace.key, listing)

        return await self.mutations.database.read(work)

    async def update(self, attempt: Attempt, name: ModelName, patch: Callable[[Model], Model], etag: str) -> Model:
        async def work(transaction: Transaction) -> Model:
            before = await lookup.model(transaction, name, lock=True)
            check_etag(before, etag, name)
            after = patch(before)
            return before if after == before else await self._save(transaction, attempt, "updated", before, after)

        return await self.mutations.run(attempt, work, _OUTCOMES)

    async def search(
        self, caller: Caller, parent: NamespaceName | None, words: list[str], listing: Listing
    ) -> Page[Model]:
        """Finds models with words that begin with ``words``, best match first; without a parent in all namespaces."""

        async def work(transaction: Transaction) -> Page[Model]:
            key = None if parent is None else (await lookup.namespace(transaction, parent)).key
            return await ModelRepository(transaction).search(key, words, listing)

        return await self.mutations.database.read(work)

    async def delete(self, attempt: Attempt, name: ModelName, *, etag: str, force: bool) -> Model:
        async def work(transaction: Transaction) -> Model:
            before = await lookup.model(transaction, name, lock=True)
            check_etag(before, etag, name)
            if not force and await ModelRepository(transaction).has_versions(before.key):
                raise FailedPrecondition(
                    f"{name} has versions. Delete them first, or set force to delete them with the model.",
                    reason="MODEL_NOT_EMPTY",
                    violations=[PreconditionViolation("NOT_EMPTY", str(name), "the model has versions")],
                    metadata={"resource": str(name)},
                )
            for guard in self.guards:
                await guard.check_model_deletion(self.mutations, transaction, before)
            await self.moves.hide(transaction, attempt, before)
            purge_time = self.mutations.later(self.mutations.limits.purge_after)
            after = replace(before, delete_time=self.mutations.clock(), purge_time=purge_time)
            return await self._save(transaction, attempt, "deleted", before, after)

        return await self.mutations.run(attempt, work, _OUTCOMES)

    async def undelete(self, attempt: Attempt, name: ModelName, *, etag: str) -> Model:
        """Restores a model with its versions and aliases."""

        async def work(transaction: Transaction) -> Model:
            before = await lookup.model(transaction, name, lock=True, deleted=True)
            check_etag(before, etag, name)
            if before.delete_time is None:
                raise AlreadyExists(
                    f"{name} is not deleted, so it can't be restored.",
                    reason="NOT_DELETED",
                    kind="Model",
                    name=str(name),
                )
            await self.moves.restore(transaction, attempt, before)
            after = replace(before, delete_time=None, purge_time=None)
            return await self._save(transaction, attempt, "restored", before, after)

        return await self.mutations.run(attempt, work, _OUTCOMES)

    async def _save(self, transaction: Transaction, attempt: Attempt, verb: str, before: Model, after: Model) -> Model:
        after = replace(after, update_time=self.mutations.clock(), row_version=before.row_version + 1)
        await ModelRepository(transaction).update(after)
        self.mutations.record(transaction, attempt, before.namespace_key, MODEL, verb, before=before, after=after)
        return after

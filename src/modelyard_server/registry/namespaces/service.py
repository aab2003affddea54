"""Namespaces: create, read, update, delete, restore."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from modelyard.core.names import DEFAULT_NAMESPACE, NamespaceName
from modelyard_server.calls.caller import SYSTEM, Attempt, Caller
from modelyard_server.calls.errors import AlreadyExists, FailedPrecondition, PreconditionViolation, invalid
from modelyard_server.calls.resource import check_etag, new_uid
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.log.changes import Mutations
from modelyard_server.log.outcomes import SnapshotOutcomes
from modelyard_server.query.listing import Page
from modelyard_server.registry import lookup
from modelyard_server.registry.guards import NamespaceContents
from modelyard_server.registry.lookup import MAX_LISTED_BLOCKERS
from modelyard_server.registry.models.repository import ModelRepository
from modelyard_server.registry.namespaces.events import NAMESPACE
from modelyard_server.registry.namespaces.repository import NamespaceRepository
from modelyard_server.registry.namespaces.values import Namespace

_OUTCOMES: Final = SnapshotOutcomes(NAMESPACE)


@dataclass(frozen=True, slots=True)
class Namespaces:
    mutations: Mutations
    contents: tuple[NamespaceContents, ...]

    async def create(self, attempt: Attempt, namespace: Namespace) -> Namespace:
        """Creates ``namespace``, and sets its uid and times."""

        async def work(transaction: Transaction) -> Namespace:
            namespaces = NamespaceRepository(transaction)
            if (existing := await namespaces.find(namespace.name)) is not None:
                hint = "It is deleted. Restore it, or use another id." if existing.delete_time else "Use another id."
                raise AlreadyExists(
                    f"There is already a namespace {namespace.name.namespace!r}. {hint}",
                    reason="NAMESPACE_EXISTS",
                    kind="Namespace",
                    name=str(namespace.name),
                )
            now = self.mutations.clock()
            created = await namespaces.add(replace(namespace, uid=new_uid(), create_time=now, update_time=now))
            self.mutations.record(transaction, attempt, created.key, NAMESPACE, "created", after=created)
            return created

        return await self.mutations.run(attempt, work, _OUTCOMES)

    async def get(self, caller: Caller, name: NamespaceName) -> Namespace:
        return await self.mutations.database.look(lambda transaction: lookup.namespace(transaction, name, deleted=True))

    async def page(self, caller: Caller, *, after: str, size: int, show_deleted: bool) -> Page[Namespace]:
        async def work(transaction: Transaction) -> Page[Namespace]:
            return await NamespaceRepository(transaction).page(
                after=after, size=size, room=self.mutations.limits.list_bytes, show_deleted=show_deleted
            )

        return await self.mutations.database.read(work)

    async def update(
        self, attempt: Attempt, name: NamespaceName, patch: Callable[[Namespace], Namespace], etag: str
    ) -> Namespace:
        async def work(transaction: Transaction) -> Namespace:
            before = await lookup.namespace(transaction, name, lock=True)
            check_etag(before, etag, name)
            after = patch(before)
            return before if after == before else await self._save(transaction, attempt, "updated", before, after)

        return await self.mutations.run(attempt, work, _OUTCOMES)

    async def delete(self, attempt: Attempt, name: NamespaceName, *, etag: str) -> Namespace:
        """Hides an empty namespace. Its id stays taken, and its log is kept."""
        if name.namespace == DEFAULT_NAMESPACE:
            raise invalid("name", f"{name} can't be deleted: references without a namespace mean it")

        async def work(transaction: Transaction) -> Namespace:
            before = await lookup.namespace(transaction, name, lock=True)
            check_etag(before, etag, name)
            if found := await self._contents(transaction, before):
                raise FailedPrecondition(
                    f"{name} is not empty: it has {', '.join(each.subject for each in found)}; delete that first",
                    reason="NAMESPACE_NOT_EMPTY",
                    violations=found,
                    metadata={"resource": str(name)},
                )
            after = replace(before, delete_time=self.mutations.clock())
            return await self._save(transaction, attempt, "deleted", before, after)

        return await self.mutations.run(attempt, work, _OUTCOMES)

    async def undelete(self, attempt: Attempt, name: NamespaceName, *, etag: str) -> Namespace:
        async def work(transaction: Transaction) -> Namespace:
            before = await lookup.namespace(transaction, name, lock=True, deleted=True)
            check_etag(before, etag, name)
            if before.delete_time is None:
                raise AlreadyExists(f"{name} is not deleted", reason="NOT_DELETED", kind="Namespace", name=str(name))
            return await self._save(transaction, attempt, "restored", before, replace(before, delete_time=None))

        return await self.mutations.run(attempt, work, _OUTCOMES)

    async def _contents(self, transaction: Transaction, namespace: Namespace) -> list[PreconditionViolation]:
        models = await ModelRepository(transaction).some(namespace.key, MAX_LISTED_BLOCKERS)
        found = [
            PreconditionViolation("MODEL", str(each.name), "is in the namespace, perhaps soft-deleted")
            for each in models
        ]
        for knower in self.contents:
            found += await knower.contents(transaction, namespace.key, MAX_LISTED_BLOCKERS)
        return found[:MAX_LISTED_BLOCKERS]

    async def _save(
        self, transaction: Transaction, attempt: Attempt, verb: str, before: Namespace, after: Namespace
    ) -> Namespace:
        after = replace(after, update_time=self.mutations.clock(), row_version=before.row_version + 1)
        await NamespaceRepository(transaction).update(after)
        self.mutations.record(transaction, attempt, after.key, NAMESPACE, verb, before=before, after=after)
        return after

    async def ensure_default(self, name: NamespaceName) -> None:
        """Creates the namespace that exists from the first start."""
        attempt = Attempt(caller=SYSTEM, method="ensure_default", payload_hash="")
        now = self.mutations.clock()
        try:
            await self.create(attempt, Namespace(uid="", create_time=now, update_time=now, name=name))
        except AlreadyExists:
            return

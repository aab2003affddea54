"""Namespaces: create, read, update."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from modelyard.core.names import NamespaceName
from modelyard_server.calls.caller import SYSTEM, Attempt, Caller
from modelyard_server.calls.errors import AlreadyExists
from modelyard_server.calls.resource import check_etag, new_uid
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.log.changes import Mutations
from modelyard_server.log.outcomes import SnapshotOutcomes
from modelyard_server.query.paging import Page
from modelyard_server.registry import lookup
from modelyard_server.registry.namespaces.events import NAMESPACE
from modelyard_server.registry.namespaces.repository import NamespaceRepository
from modelyard_server.registry.namespaces.values import Namespace

_OUTCOMES: Final = SnapshotOutcomes(NAMESPACE)


@dataclass(frozen=True, slots=True)
class Namespaces:
    mutations: Mutations

    async def create(self, attempt: Attempt, namespace: Namespace) -> Namespace:
        """Creates ``namespace``, and sets its uid and times."""

        async def work(transaction: Transaction) -> Namespace:
            namespaces = NamespaceRepository(transaction)
            if await namespaces.find(namespace.name) is not None:
                raise AlreadyExists(
                    f"There is already a namespace {namespace.name.namespace!r}. Use another id.",
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
        return await self.mutations.database.look(lambda transaction: lookup.namespace(transaction, name))

    async def page(self, caller: Caller, *, after: str, size: int) -> Page[Namespace]:
        found = await self.mutations.database.read(
            lambda transaction: NamespaceRepository(transaction).page(after=after, limit=size + 1)
        )
        return Page.of(found, size, lambda namespace: namespace.name.namespace)

    async def update(
        self, attempt: Attempt, name: NamespaceName, patch: Callable[[Namespace], Namespace], etag: str
    ) -> Namespace:
        async def work(transaction: Transaction) -> Namespace:
            before = await lookup.namespace(transaction, name, lock=True)
            check_etag(before, etag, name)
            patched = patch(before)
            if patched == before:
                return before
            after = replace(patched, update_time=self.mutations.clock(), row_version=before.row_version + 1)
            await NamespaceRepository(transaction).update(after)
            self.mutations.record(transaction, attempt, after.key, NAMESPACE, "updated", before=before, after=after)
            return after

        return await self.mutations.run(attempt, work, _OUTCOMES)

    async def ensure_default(self, name: NamespaceName) -> None:
        """Creates the namespace that exists from the first start."""
        attempt = Attempt(caller=SYSTEM, method="ensure_default", payload_hash="")
        now = self.mutations.clock()
        try:
            await self.create(attempt, Namespace(uid="", create_time=now, update_time=now, name=name))
        except AlreadyExists:
            return

"""Webhooks: create, read, update, delete, and their secrets."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from modelyard.core.names import ModelName, NamespaceName, WebhookName
from modelyard_server.calls.errors import AlreadyExists, NotFound, ResourceExhausted
from modelyard_server.db.protocols import StoredOutcome, Transaction
from modelyard_server.log import history
from modelyard_server.log.changes import Attempt, Mutations, check_etag, new_uid
from modelyard_server.log.codec import webhook_from_snapshot
from modelyard_server.query.paging import Page
from modelyard_server.registry import lookup
from modelyard_server.registry.values import Webhook
from modelyard_server.webhooks.values import SECRET_OVERLAP, secret, spelled


async def _restore(_transaction: Transaction, outcome: StoredOutcome) -> Webhook:
    return replace(webhook_from_snapshot(dict(outcome.snapshot)), key=outcome.key)


async def find(transaction: Transaction, name: WebhookName, *, lock: bool = False) -> Webhook:
    """The webhook of that name, or what is missing."""
    found = await transaction.webhooks.find(name, lock=lock)
    if found is None:
        await lookup.namespace(transaction, NamespaceName(name.namespace))
        raise NotFound(
            f"there is no webhook {name.webhook!r} in namespace {name.namespace!r}",
            reason="WEBHOOK_NOT_FOUND",
            kind="Webhook",
            name=str(name),
        )
    return found


@dataclass(frozen=True, slots=True)
class Webhooks:
    mutations: Mutations
    master: bytes
    """What secrets are derived from; all replicas have the same."""

    def secret(self, webhook: Webhook) -> str:
        """What its receiver is to be told, in words."""
        return spelled(secret(self.master, webhook, webhook.secret_generation))

    async def create(self, attempt: Attempt, webhook: Webhook) -> Webhook:
        """Creates ``webhook``, whose uid, times and author are set here. It is told of what happens from now on."""

        async def work(transaction: Transaction) -> Webhook:
            place = NamespaceName(webhook.name.namespace)
            namespace = await lookup.namespace(transaction, place, lock=True)
            if await transaction.webhooks.find(webhook.name) is not None:
                raise AlreadyExists(
                    f"there is a webhook {webhook.name.webhook!r} in namespace {place.namespace!r} already",
                    reason="WEBHOOK_EXISTS",
                    kind="Webhook",
                    name=str(webhook.name),
                )
            if await transaction.webhooks.count(namespace.key) >= (most := self.mutations.limits.webhooks):
                raise ResourceExhausted(
                    f"the namespace {place.namespace!r} has {most} webhooks, which is the most; delete one first",
                    reason="TOO_MANY_WEBHOOKS",
                    metadata={"limit": str(most)},
                )
            await self._check_model(transaction, webhook)
            now = self.mutations.clock()
            log = await history.log_of(transaction, place)
            made = replace(webhook, uid=new_uid(), create_time=now, update_time=now, created_by=attempt.actor)
            created = await transaction.webhooks.add(
                replace(made, namespace_key=namespace.key, queued_revision=log.revision)
            )
            self.mutations.record(transaction, attempt, namespace.key, "webhook.created", after=created)
            return created

        return await self.mutations.run(attempt, work, _restore)

    @staticmethod
    async def _check_model(transaction: Transaction, webhook: Webhook) -> None:
        if webhook.model_id:
            await lookup.model(transaction, ModelName(webhook.name.namespace, webhook.model_id))

    async def get(self, name: WebhookName) -> Webhook:
        return await self.mutations.database.look(lambda transaction: find(transaction, name))

    async def page(self, parent: NamespaceName, *, after: str, size: int) -> Page[Webhook]:
        async def work(transaction: Transaction) -> Page[Webhook]:
            namespace = await lookup.namespace(transaction, parent)
            return Page.of(await transaction.webhooks.page(namespace.key, after=after, limit=size + 1), size)

        return await self.mutations.database.read(work)

    async def update(
        self, attempt: Attempt, name: WebhookName, patch: Callable[[Webhook], Webhook], *, etag: str
    ) -> Webhook:
        async def work(transaction: Transaction) -> Webhook:
            before = await find(transaction, name, lock=True)
            check_etag(before, etag, name)
            after = patch(before)
            if after == before:
                return before
            if after.model_id != before.model_id:
                await self._check_model(transaction, after)
            if after.disabled and not before.disabled:
                await transaction.deliveries.pause(before.key)
            elif before.disabled and not after.disabled:
                log = await history.log_of(transaction, NamespaceName(name.namespace))
                after = replace(after, queued_revision=log.revision)
                await transaction.deliveries.resume(before.key, self.mutations.clock())
            return await self._save(transaction, attempt, "webhook.updated", before, after)

        return await self.mutations.run(attempt, work, _restore)

    async def rotate(self, attempt: Attempt, name: WebhookName, *, etag: str) -> Webhook:
        """Gives it a new secret. The one before still signs for a day, those before that no more."""

        async def work(transaction: Transaction) -> Webhook:
            before = await find(transaction, name, lock=True)
            check_etag(before, etag, name)
            after = replace(
                before,
                secret_generation=before.secret_generation + 1,
                overlap_end_time=self.mutations.clock() + SECRET_OVERLAP,
            )
            return await self._save(transaction, attempt, "webhook.secret_rotated", before, after)

        return await self.mutations.run(attempt, work, _restore)

    async def delete(self, attempt: Attempt, name: WebhookName, *, etag: str) -> Webhook:
        async def work(transaction: Transaction) -> Webhook:
            before = await find(transaction, name, lock=True)
            check_etag(before, etag, name)
            await transaction.webhooks.remove(before)
            self.mutations.record(transaction, attempt, before.namespace_key, "webhook.deleted", before=before)
            return before

        return await self.mutations.run(attempt, work, _restore)

    async def _save(
        self, transaction: Transaction, attempt: Attempt, event: str, before: Webhook, after: Webhook
    ) -> Webhook:
        after = replace(after, update_time=self.mutations.clock(), row_version=before.row_version + 1)
        await transaction.webhooks.update(after)
        self.mutations.record(transaction, attempt, before.namespace_key, event, before=before, after=after)
        return after

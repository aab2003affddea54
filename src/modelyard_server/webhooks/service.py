"""Webhooks: create, read, update, delete, and their secrets."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from modelyard.core.names import ModelName, NamespaceName, WebhookName
from modelyard_server.calls.caller import Attempt, Caller
from modelyard_server.calls.errors import AlreadyExists, NotFound, ResourceExhausted
from modelyard_server.calls.resource import check_etag, new_uid
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.log import history
from modelyard_server.log.changes import Mutations
from modelyard_server.log.outcomes import SnapshotOutcomes
from modelyard_server.query.listing import Page
from modelyard_server.registry import lookup
from modelyard_server.webhooks.deliveries.repository import DeliveryRepository
from modelyard_server.webhooks.events import WEBHOOK, encode_whole
from modelyard_server.webhooks.repository import WebhookRepository
from modelyard_server.webhooks.signing import SECRET_OVERLAP, secret, spelled
from modelyard_server.webhooks.values import Webhook

_OUTCOMES: Final = SnapshotOutcomes(WEBHOOK, encode_whole)


async def find(transaction: Transaction, name: WebhookName, *, lock: bool = False) -> Webhook:
    """The webhook of that name. Raises :class:`NotFound` for the missing part of the name."""
    found = await WebhookRepository(transaction).find(name, lock=lock)
    if found is None:
        await lookup.namespace(transaction, NamespaceName(name.namespace))
        raise NotFound(
            f"There is no webhook {name.webhook!r} in namespace {name.namespace!r}.",
            reason="WEBHOOK_NOT_FOUND",
            kind="Webhook",
            name=str(name),
        )
    return found


@dataclass(frozen=True, slots=True)
class Webhooks:
    mutations: Mutations
    master: bytes
    """The key from which secrets are derived. All replicas have the same."""

    def secret(self, webhook: Webhook) -> str:
        """The current secret of a webhook, as text for its receiver."""
        return spelled(secret(self.master, webhook, webhook.secret_generation))

    async def create(self, attempt: Attempt, webhook: Webhook) -> Webhook:
        """Creates ``webhook``, and sets its uid, times and author. It receives events from now on."""

        async def work(transaction: Transaction) -> Webhook:
            place = NamespaceName(webhook.name.namespace)
            namespace = await lookup.namespace(transaction, place, lock=True)
            if await WebhookRepository(transaction).find(webhook.name) is not None:
                raise AlreadyExists(
                    f"Namespace {place.namespace!r} already has a webhook {webhook.name.webhook!r}. Use another id.",
                    reason="WEBHOOK_EXISTS",
                    kind="Webhook",
                    name=str(webhook.name),
                )
            if await WebhookRepository(transaction).count(namespace.key) >= (most := self.mutations.limits.webhooks):
                raise ResourceExhausted(
                    f"The namespace {place.namespace!r} has {most} webhooks, the maximum. Delete one first.",
                    reason="TOO_MANY_WEBHOOKS",
                    metadata={"limit": str(most)},
                )
            await self._check_model(transaction, webhook)
            now = self.mutations.clock()
            log = await history.log_of(transaction, place)
            made = replace(webhook, uid=new_uid(), create_time=now, update_time=now, created_by=attempt.actor)
            created = await WebhookRepository(transaction).add(
                replace(made, namespace_key=namespace.key, queued_revision=log.revision)
            )
            self.mutations.record(transaction, attempt, namespace.key, WEBHOOK, "created", after=created)
            return created

        return await self.mutations.run(attempt, work, _OUTCOMES)

    @staticmethod
    async def _check_model(transaction: Transaction, webhook: Webhook) -> None:
        if webhook.model_id:
            await lookup.model(transaction, ModelName(webhook.name.namespace, webhook.model_id))

    async def get(self, caller: Caller, name: WebhookName) -> Webhook:
        return await self.mutations.database.look(lambda transaction: find(transaction, name))

    async def page(self, caller: Caller, parent: NamespaceName, *, after: str, size: int) -> Page[Webhook]:
        async def work(transaction: Transaction) -> Page[Webhook]:
            namespace = await lookup.namespace(transaction, parent)
            found = await WebhookRepository(transaction).page(namespace.key, after=after, limit=size + 1)
            return Page.of(found, size, lambda webhook: webhook.name.webhook)

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
                await DeliveryRepository(transaction).pause(before.key)
            elif before.disabled and not after.disabled:
                log = await history.log_of(transaction, NamespaceName(name.namespace))
                after = replace(after, queued_revision=log.revision)
                await DeliveryRepository(transaction).resume(before.key, self.mutations.clock())
            return await self._save(transaction, attempt, "updated", before, after)

        return await self.mutations.run(attempt, work, _OUTCOMES)

    async def rotate(self, attempt: Attempt, name: WebhookName, *, etag: str) -> Webhook:
        """Replaces the secret. The previous secret still signs for a day, older ones no longer."""

        async def work(transaction: Transaction) -> Webhook:
            before = await find(transaction, name, lock=True)
            check_etag(before, etag, name)
            after = replace(
                before,
                secret_generation=before.secret_generation + 1,
                overlap_end_time=self.mutations.clock() + SECRET_OVERLAP,
            )
            return await self._save(transaction, attempt, "secret_rotated", before, after)

        return await self.mutations.run(attempt, work, _OUTCOMES)

    async def delete(self, attempt: Attempt, name: WebhookName, *, etag: str) -> Webhook:
        """Deletes a webhook with all its deliveries, or nothing. The sweep removes their rows later."""

        async def work(transaction: Transaction) -> Webhook:
            before = await find(transaction, name, lock=True)
            check_etag(before, etag, name)
            await WebhookRepository(transaction).delete(before, self.mutations.clock())
            self.mutations.record(transaction, attempt, before.namespace_key, WEBHOOK, "deleted", before=before)
            return before

        return await self.mutations.run(attempt, work, _OUTCOMES)

    async def _save(
        self, transaction: Transaction, attempt: Attempt, verb: str, before: Webhook, after: Webhook
    ) -> Webhook:
        after = replace(after, update_time=self.mutations.clock(), row_version=before.row_version + 1)
        await WebhookRepository(transaction).update(after)
        self.mutations.record(transaction, attempt, before.namespace_key, WEBHOOK, verb, before=before, after=after)
        return after

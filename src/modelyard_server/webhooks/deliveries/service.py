"""Reads deliveries, sends them again, and tests webhooks."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

from modelyard.core.names import DeliveryName, WebhookName
from modelyard_server import failpoints
from modelyard_server.calls.caller import Attempt, Caller
from modelyard_server.calls.errors import FailedPrecondition, NotFound, PreconditionViolation
from modelyard_server.calls.resource import new_uid
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.log import history
from modelyard_server.log.changes import Mutations, request_id_reused
from modelyard_server.log.repository import EventRepository
from modelyard_server.outbound.sender import Answer, Sender
from modelyard_server.query.listing import Page
from modelyard_server.webhooks import service as webhooks
from modelyard_server.webhooks.deliveries.repository import DeliveryRepository
from modelyard_server.webhooks.deliveries.values import Delivery, DeliveryState
from modelyard_server.webhooks.signing import Message, headers, keys
from modelyard_server.webhooks.values import Webhook


@dataclass(frozen=True, slots=True)
class Deliveries:
    mutations: Mutations
    sender: Sender
    master: bytes
    """The key from which secrets are derived."""
    trial: Callable[[Webhook], Message]
    """Builds the event that a test posts."""
    wake: Callable[[], None]
    """Wakes the dispatcher."""

    async def page(
        self, caller: Caller, parent: WebhookName, *, before: int | None, size: int, state: DeliveryState | None
    ) -> Page[Delivery]:
        async def work(transaction: Transaction) -> Page[Delivery]:
            webhook = await webhooks.find(transaction, parent)
            found = await DeliveryRepository(transaction).page(webhook.key, before=before, limit=size + 1, state=state)
            return Page.of(found, size, lambda delivery: delivery.key)

        return await self.mutations.database.read(work)

    async def redeliver(self, attempt: Attempt, name: DeliveryName) -> Delivery:
        """Adds another delivery of the same event."""
        # The id is derived from the request_id, so that a retry finds the delivery.
        seed = f"{attempt.actor}/{name.webhook}/{attempt.request_id}"
        identity = str(uuid5(NAMESPACE_URL, seed)) if attempt.request_id else new_uid()

        async def work(transaction: Transaction) -> Delivery:
            webhook = await webhooks.find(transaction, name.webhook, lock=True)
            ended = await _find(transaction, name)
            added = await DeliveryRepository(transaction).find(DeliveryName(name.webhook, identity))
            if added is not None:
                if added.revision != ended.revision:
                    raise request_id_reused()
                return added
            if ended.state is DeliveryState.PENDING:
                raise _pending(ended)
            if await EventRepository(transaction).at(webhook.namespace_key, ended.revision) is None:
                raise history.compacted(ended.revision, f"the event of {name} can't be sent again")
            again = Delivery(
                name=DeliveryName(name.webhook, identity),
                revision=ended.revision,
                type=ended.type,
                resource=ended.resource,
                lane=ended.lane,
                state=DeliveryState.PENDING,
                create_time=self.mutations.clock(),
            )
            await DeliveryRepository(transaction).add(webhook, [again])
            if webhook.disabled:
                await DeliveryRepository(transaction).pause(webhook.key)
            failpoints.hit(f"{attempt.method}.before_commit")
            return again

        again = await self.mutations.database.write(work)
        failpoints.hit(f"{attempt.method}.after_commit")
        self.wake()
        return again

    async def test(self, caller: Caller, name: WebhookName) -> Answer:
        """Posts a test event once. The event is not in the log."""
        webhook = await self.mutations.database.look(lambda transaction: webhooks.find(transaction, name))
        message, now = self.trial(webhook), self.mutations.clock()
        return await self.sender.post(webhook.url, headers(message, keys(self.master, webhook, now), now), message.body)


async def _find(transaction: Transaction, name: DeliveryName) -> Delivery:
    found = await DeliveryRepository(transaction).find(name)
    if found is None:
        raise NotFound(
            f"There is no delivery {name.delivery} to {name.webhook}. Deliveries are kept for a week.",
            reason="DELIVERY_NOT_FOUND",
            kind="Delivery",
            name=str(name),
        )
    return found


def _pending(delivery: Delivery) -> FailedPrecondition:
    return FailedPrecondition(
        f"{delivery.name} is still pending: the registry keeps trying it. Send it again after it has ended.",
        reason="DELIVERY_PENDING",
        violations=[PreconditionViolation("STATE", str(delivery.name), "the delivery is pending")],
        metadata={"resource": str(delivery.name)},
    )

"""Webhooks, for programs that run an event loop. The synchronous twin is generated: run ``make protos``."""

from collections.abc import AsyncIterator, Sequence

from modelyard import _convert_consumers, _naming
from modelyard._connection import Connection
from modelyard._messages import Page, field_mask, fill, items, request_id
from modelyard._unset import UNSET, Unset
from modelyard.core.names import DEFAULT_NAMESPACE, DeliveryName, ModelName, WebhookName
from modelyard.types import Delivery, DeliveryState, Webhook, WebhookTest
from modelyard.v1 import resources_pb2 as resources
from modelyard.v1 import webhooks_pb2 as pb

# The test itself takes up to ten seconds.
_TEST_TIMEOUT = 20.0


class AsyncWebhooks:
    """The webhooks of a registry: ``client.webhooks``.

    A webhook is an HTTPS endpoint that is told of events as CloudEvents, at least once, those of a model in order.
    Its receiver checks what comes with :func:`modelyard.webhooks.verify`. Webhooks are named as ``team/deployer``.

    >>> webhook = await yard.webhooks.create("team/deployer", "https://ci.example.com/modelyard", types=["alias.*"])
    >>> webhook.secret
    'whsec_…'
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(
        self,
        webhook: str | WebhookName,
        url: str,
        *,
        types: Sequence[str] = (),
        model: str | ModelName | None = None,
        description: str = "",
        disabled: bool = False,
    ) -> Webhook:
        """Adds a webhook, and tells its secret: keep it, for only a new one is told again.

        Args:
            webhook: As ``team/deployer``.
            url: ``https://…``, on the public internet or in a network that the registry's operator allows.
            types: Types of events, as ``alias.moved`` or ``alias.*``; none for all.
            model: Only events of this model; ``fraud`` is the one in the webhook's own namespace.
            description: For people.
            disabled: Deliver nothing until it is enabled.
        """
        name = _naming.webhook_name(webhook)
        message = resources.Webhook(
            url=url,
            types=_types(types),
            model=str(_naming.model_name(model, name.namespace)) if model else "",
            description=description,
            disabled=disabled,
        )
        request = pb.CreateWebhookRequest(
            parent=f"namespaces/{name.namespace}", webhook_id=name.webhook, webhook=message, request_id=request_id()
        )
        return _convert_consumers.webhook(await self._connection.call(self._connection.webhooks.CreateWebhook, request))

    async def get(self, webhook: str | WebhookName) -> Webhook:
        """One webhook, without its secret."""
        request = pb.GetWebhookRequest(name=str(_naming.webhook_name(webhook)))
        return _convert_consumers.webhook(await self._connection.call(self._connection.webhooks.GetWebhook, request))

    def list(self, namespace: str = DEFAULT_NAMESPACE) -> AsyncIterator[Webhook]:
        """The webhooks of a namespace, by id; fetched page by page as they are asked for."""
        parent = str(_naming.namespace_name(namespace))

        async def fetch(token: str) -> Page[resources.Webhook]:
            request = pb.ListWebhooksRequest(parent=parent, page_token=token)
            page = await self._connection.call(self._connection.webhooks.ListWebhooks, request)
            return page.webhooks, page.next_page_token

        return items(fetch, _convert_consumers.webhook)

    async def update(
        self,
        webhook: str | WebhookName,
        *,
        url: str | Unset = UNSET,
        types: Sequence[str] | Unset = UNSET,
        model: str | ModelName | Unset | None = UNSET,
        description: str | Unset = UNSET,
        disabled: bool | Unset = UNSET,
        etag: str | None = None,
    ) -> Webhook:
        """Changes the given fields and no others. What happens while it is disabled is never delivered."""
        name = _naming.webhook_name(webhook)
        message = resources.Webhook(name=str(name), etag=etag or "")
        given = fill(message, url=url, description=description)
        if not isinstance(types, Unset):
            message.types.extend(_types(types))
            given.append("types")
        if not isinstance(model, Unset):
            message.model = str(_naming.model_name(model, name.namespace)) if model else ""
            given.append("model")
        if not isinstance(disabled, Unset):
            message.disabled = disabled
            given.append("disabled")
        request = pb.UpdateWebhookRequest(webhook=message, update_mask=field_mask(given), request_id=request_id())
        return _convert_consumers.webhook(await self._connection.call(self._connection.webhooks.UpdateWebhook, request))

    async def delete(self, webhook: str | WebhookName, *, etag: str | None = None) -> Webhook:
        """Removes a webhook with its deliveries, for good, and answers it as it was."""
        request = pb.DeleteWebhookRequest(
            name=str(_naming.webhook_name(webhook)), etag=etag or "", request_id=request_id()
        )
        return _convert_consumers.webhook(await self._connection.call(self._connection.webhooks.DeleteWebhook, request))

    async def rotate_secret(self, webhook: str | WebhookName, *, etag: str | None = None) -> Webhook:
        """Gives it a new secret, and tells it. For a day deliveries are signed with the old one too."""
        request = pb.RotateWebhookSecretRequest(
            name=str(_naming.webhook_name(webhook)), etag=etag or "", request_id=request_id()
        )
        return _convert_consumers.webhook(
            await self._connection.call(self._connection.webhooks.RotateWebhookSecret, request)
        )

    async def test(self, webhook: str | WebhookName) -> WebhookTest:
        """Posts a test event now, once, and tells what came of it."""
        request = pb.TestWebhookRequest(name=str(_naming.webhook_name(webhook)))
        answer = await self._connection.call(
            self._connection.webhooks.TestWebhook, request, timeout=_TEST_TIMEOUT, patience=0
        )
        return _convert_consumers.webhook_test(answer)

    def deliveries(self, webhook: str | WebhookName, *, state: DeliveryState | None = None) -> AsyncIterator[Delivery]:
        """What was sent and is to be, the newest first; what has ended is kept for a week."""
        parent = str(_naming.webhook_name(webhook))
        wanted = _convert_consumers.DELIVERY_STATES.to_proto(state)

        async def fetch(token: str) -> Page[pb.Delivery]:
            request = pb.ListDeliveriesRequest(parent=parent, page_token=token, state=wanted)
            page = await self._connection.call(self._connection.webhooks.ListDeliveries, request)
            return page.deliveries, page.next_page_token

        return items(fetch, _convert_consumers.delivery)

    async def redeliver(self, delivery: DeliveryName) -> Delivery:
        """Sends an event again whose delivery has ended, as a delivery of its own."""
        request = pb.RedeliverDeliveryRequest(name=str(delivery), request_id=request_id())
        return _convert_consumers.delivery(
            await self._connection.call(self._connection.webhooks.RedeliverDelivery, request)
        )


def _types(types: Sequence[str]) -> Sequence[str]:
    if isinstance(types, str):
        raise _naming.invalid("types", f"must be several texts, as [{types!r}]")
    return types

"""Webhooks, for programs that run an event loop. The synchronous twin is generated: run ``make protos``."""

from collections.abc import Sequence

from modelyard import _convert, _naming
from modelyard._client.messages import field_mask, fill, pager, request_id
from modelyard._connection import Connection
from modelyard._paging import AsyncPager
from modelyard._unset import UNSET, Unset
from modelyard.core.names import DEFAULT_NAMESPACE, DeliveryName, ModelName, WebhookName
from modelyard.types import Delivery, DeliveryState, Webhook, WebhookTest
from modelyard.v1 import resources_pb2 as resources
from modelyard.v1 import webhooks_pb2 as pb
from modelyard.v1.webhooks_pb2_grpc import WebhooksServiceStub


class AsyncWebhooks:
    """Webhooks: ``client.webhooks``. The registry posts events to a webhook's HTTPS endpoint as CloudEvents.

    Every event is posted at least once, and the events of one model in order. The receiver checks each request with
    :func:`modelyard.webhooks.verify`. A webhook is named as ``team/deployer``; without ``team/`` the namespace is
    ``default``.

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
        """Creates a webhook. The result holds its ``secret``: keep it, no other call returns it.

        Args:
            webhook: As ``team/deployer``. Its namespace must exist.
            url: ``https://…``, at most 2048 characters. It must lead to the public internet, or to a network that the
                registry's operator allows.
            types: Only these types of events, as ``alias.moved`` or ``alias.*``. All types if empty.
            model: Only events of this model. ``fraud`` means the one in the webhook's namespace.
            description: For people; at most 4 KiB.
            disabled: Deliver nothing until the webhook is enabled.

        Raises:
            InvalidArgumentError: A value breaks a limit, or the address is not allowed. Nothing was created.
            NotFoundError: The namespace does not exist.
            AlreadyExistsError: The id is taken.
            ResourceExhaustedError: The namespace has 100 webhooks.
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
        call = self._connection.stub(WebhooksServiceStub).CreateWebhook
        return _convert.webhook(await self._connection.call(call, request))

    async def get(self, webhook: str | WebhookName) -> Webhook:
        """Reads one webhook, without its secret. Raises ``NotFoundError`` if it does not exist."""
        request = pb.GetWebhookRequest(name=str(_naming.webhook_name(webhook)))
        call = self._connection.stub(WebhooksServiceStub).GetWebhook
        return _convert.webhook(await self._connection.call(call, request))

    def list(self, namespace: str = DEFAULT_NAMESPACE, *, page_size: int | None = None) -> AsyncPager[Webhook]:
        """Lists the webhooks of a namespace, ordered by id, without their secrets.

        Args:
            namespace: As ``team``.
            page_size: Most items that the registry sends at once: 1 to 1000, 50 if not given.

        Raises:
            NotFoundError: The namespace does not exist.
        """
        return pager(
            self._connection,
            lambda: self._connection.stub(WebhooksServiceStub).ListWebhooks,
            pb.ListWebhooksRequest(
                parent=str(_naming.namespace_name(namespace)), page_size=_naming.page_size(page_size)
            ),
            lambda page: page.webhooks,
            _convert.webhook,
        )

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
        """Changes the fields that are given and no others. Events while a webhook is disabled are never delivered.

        Args:
            webhook: As ``team/deployer``.
            url: As for ``create``.
            types: Replaces all types. All types of events if empty.
            model: Only events of this model; None for those of the whole namespace.
            description: For people; at most 4 KiB.
            disabled: Whether to stop deliveries. Those that wait are sent when the webhook is enabled again.
            etag: Only change the webhook if it still has this etag.

        Raises:
            InvalidArgumentError: A value breaks a limit, or no field is given. Nothing was changed.
            NotFoundError: The webhook does not exist.
            ConflictError: The webhook has another etag.
        """
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
        call = self._connection.stub(WebhooksServiceStub).UpdateWebhook
        return _convert.webhook(await self._connection.call(call, request))

    async def delete(self, webhook: str | WebhookName, *, etag: str | None = None) -> Webhook:
        """Deletes a webhook and its deliveries for good, and returns it as it was.

        Args:
            webhook: As ``team/deployer``.
            etag: Only delete the webhook if it still has this etag.

        Raises:
            NotFoundError: The webhook does not exist.
            ConflictError: The webhook has another etag.
        """
        request = pb.DeleteWebhookRequest(
            name=str(_naming.webhook_name(webhook)), etag=etag or "", request_id=request_id()
        )
        call = self._connection.stub(WebhooksServiceStub).DeleteWebhook
        return _convert.webhook(await self._connection.call(call, request))

    async def rotate_secret(self, webhook: str | WebhookName, *, etag: str | None = None) -> Webhook:
        """Gives a webhook a new secret. The result holds it: keep it, no other call returns it.

        For one day deliveries are signed with the old secret too.

        Args:
            webhook: As ``team/deployer``.
            etag: Only change the webhook if it still has this etag.

        Raises:
            NotFoundError: The webhook does not exist.
            ConflictError: The webhook has another etag.
        """
        request = pb.RotateWebhookSecretRequest(
            name=str(_naming.webhook_name(webhook)), etag=etag or "", request_id=request_id()
        )
        call = self._connection.stub(WebhooksServiceStub).RotateWebhookSecret
        return _convert.webhook(await self._connection.call(call, request))

    async def test(self, webhook: str | WebhookName) -> WebhookTest:
        """Posts one test event now and tells what the receiver answered. Takes up to 20 s; never retried.

        Raises ``NotFoundError`` if the webhook does not exist. A receiver that refuses is no error: see ``delivered``.
        """
        request = pb.TestWebhookRequest(name=str(_naming.webhook_name(webhook)))
        call = self._connection.stub(WebhooksServiceStub).TestWebhook
        return _convert.webhook_test(await self._connection.call(call, request))

    def deliveries(
        self, webhook: str | WebhookName, *, state: DeliveryState | None = None, page_size: int | None = None
    ) -> AsyncPager[Delivery]:
        """Lists the deliveries of a webhook, newest first. Those that have ended are kept for a week.

        Args:
            webhook: As ``team/deployer``.
            state: Only deliveries in this state.
            page_size: Most items that the registry sends at once: 1 to 1000, 50 if not given.

        Raises:
            NotFoundError: The webhook does not exist.
        """
        request = pb.ListDeliveriesRequest(
            parent=str(_naming.webhook_name(webhook)),
            state=_convert.DELIVERY_STATES.to_proto(state),
            page_size=_naming.page_size(page_size),
        )
        return pager(
            self._connection,
            lambda: self._connection.stub(WebhooksServiceStub).ListDeliveries,
            request,
            lambda page: page.deliveries,
            _convert.delivery,
        )

    async def redeliver(self, delivery: DeliveryName) -> Delivery:
        """Sends an event again whose delivery has ended. Returns the new delivery.

        Raises:
            NotFoundError: The delivery is not kept any more.
            FailedPreconditionError: The delivery has not ended.
            OutOfRangeError: The log no longer holds the event.
        """
        request = pb.RedeliverDeliveryRequest(name=str(delivery), request_id=request_id())
        call = self._connection.stub(WebhooksServiceStub).RedeliverDelivery
        return _convert.delivery(await self._connection.call(call, request))


def _types(types: Sequence[str]) -> Sequence[str]:
    if isinstance(types, str):
        raise _naming.invalid("types", f"Give a list, for example [{types!r}].")
    return types

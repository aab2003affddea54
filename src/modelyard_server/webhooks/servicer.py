"""WebhooksService: parse, one service call, render."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final, TypeAlias

import grpc

from modelyard.core.names import DeliveryName, ModelName, NamespaceName, WebhookName, check_id
from modelyard.v1 import resources_pb2 as pb
from modelyard.v1 import webhooks_pb2 as rpc
from modelyard.v1.webhooks_pb2_grpc import WebhooksServiceServicer
from modelyard_server.calls import masks, parsing, validation
from modelyard_server.calls.errors import FieldViolation, InvalidArgument
from modelyard_server.calls.limits import Limits
from modelyard_server.calls.page_tokens import PageTokens
from modelyard_server.calls.parsing import Collector
from modelyard_server.outbound.urls import AddressNotAllowedError
from modelyard_server.registry import messages as convert
from modelyard_server.registry.values import Webhook
from modelyard_server.webhooks.deliveries.service import Deliveries
from modelyard_server.webhooks.service import Webhooks
from modelyard_server.webhooks.values import check_types

_GIVEN: Final = ("types", "model", "description", "disabled")
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class WebhooksServicer(WebhooksServiceServicer):
    """Who is told of events, and what was sent."""

    def __init__(self, webhooks: Webhooks, deliveries: Deliveries, page_tokens: PageTokens, limits: Limits) -> None:
        self._webhooks = webhooks
        self._deliveries = deliveries
        self._page_tokens = page_tokens
        self._limits = limits

    async def CreateWebhook(self, request: rpc.CreateWebhookRequest, context: Context) -> pb.Webhook:
        collector = Collector()
        parent = collector.parse("parent", NamespaceName.parse, request.parent)
        identity = collector.parse("webhook_id", lambda value: check_id(value, "webhook"), request.webhook_id)
        given = request.webhook
        collector.require("webhook.url", given.url)
        attempt = parsing.attempt(request, collector)
        self._check(given, parent, collector)
        assert parent is not None
        assert identity is not None
        now = self._webhooks.mutations.clock()
        webhook = Webhook(
            uid="", create_time=now, update_time=now, name=WebhookName(parent.namespace, identity), url=given.url
        )
        created = await self._webhooks.create(attempt, _with(webhook, given, _GIVEN))
        return convert.webhook(created, secret=self._webhooks.secret(created))

    def _check(self, given: pb.Webhook, namespace: NamespaceName | None, collector: Collector) -> None:
        """Gathers what is wrong with the fields that people set, and raises if there is anything."""
        collector.add(check_types("webhook.types", given.types, self._limits.event_types))
        collector.add(validation.text("webhook.description", given.description, max_bytes=self._limits.reason_bytes))
        if given.model:
            collector.add(validation.parsed("webhook.model", ModelName.parse, given.model))
            if namespace is not None and not given.model.startswith(f"{namespace}/"):
                collector.add([FieldViolation("webhook.model", f"{given.model[:200]} is no model of {namespace}")])
        refused = None
        if given.url:
            try:
                self._deliveries.sender.check(given.url)
            except AddressNotAllowedError as error:  # a reason of its own, for who has to ask an operator
                refused = [FieldViolation("webhook.url", str(error))]
            except ValueError as error:
                collector.add([FieldViolation("webhook.url", str(error))])
        collector.raise_any()
        if refused is not None:
            raise InvalidArgument(refused, reason="ADDRESS_NOT_ALLOWED")

    async def GetWebhook(self, request: rpc.GetWebhookRequest, context: Context) -> pb.Webhook:
        return convert.webhook(await self._webhooks.get(parsing.one("name", WebhookName.parse, request.name)))

    async def ListWebhooks(self, request: rpc.ListWebhooksRequest, context: Context) -> rpc.ListWebhooksResponse:
        collector = Collector()
        parent = collector.parse("parent", NamespaceName.parse, request.parent)
        query = parsing.query(request, self._page_tokens, self._limits, collector)
        assert parent is not None
        after = query.position if isinstance(query.position, str) else ""
        page = await self._webhooks.page(parent, after=after, size=query.size)
        return rpc.ListWebhooksResponse(
            webhooks=map(convert.webhook, page.items),
            next_page_token=self._page_tokens.seal(query.text, page.items[-1].name.webhook) if page.more else "",
        )

    async def UpdateWebhook(self, request: rpc.UpdateWebhookRequest, context: Context) -> pb.Webhook:
        collector = Collector()
        given = request.webhook
        name = collector.parse("webhook.name", WebhookName.parse, given.name)
        attempt = parsing.attempt(request, collector)
        self._check(given, NamespaceName(name.namespace) if name else None, collector)
        patch = masks.parse("webhook", given, request.update_mask if request.HasField("update_mask") else None)
        if "url" in patch.fields and not given.url:
            raise InvalidArgument([FieldViolation("webhook.url", "is required")])
        assert name is not None

        def apply(current: Webhook) -> Webhook:
            return _with(current, given, patch.fields)

        return convert.webhook(await self._webhooks.update(attempt, name, apply, etag=given.etag))

    async def DeleteWebhook(self, request: rpc.DeleteWebhookRequest, context: Context) -> pb.Webhook:
        name, attempt = parsing.change(request, "name", WebhookName.parse, request.name)
        return convert.webhook(await self._webhooks.delete(attempt, name, etag=request.etag))

    async def RotateWebhookSecret(self, request: rpc.RotateWebhookSecretRequest, context: Context) -> pb.Webhook:
        name, attempt = parsing.change(request, "name", WebhookName.parse, request.name)
        rotated = await self._webhooks.rotate(attempt, name, etag=request.etag)
        return convert.webhook(rotated, secret=self._webhooks.secret(rotated))

    async def TestWebhook(self, request: rpc.TestWebhookRequest, context: Context) -> rpc.TestWebhookResponse:
        answer = await self._deliveries.test(parsing.one("name", WebhookName.parse, request.name))
        return rpc.TestWebhookResponse(
            delivered=answer.delivered,
            status_code=answer.status_code,
            error=answer.error,
            latency=convert.duration(answer.latency),
        )

    async def ListDeliveries(self, request: rpc.ListDeliveriesRequest, context: Context) -> rpc.ListDeliveriesResponse:
        collector = Collector()
        parent = collector.parse("parent", WebhookName.parse, request.parent)
        if request.state not in rpc.Delivery.State.values():
            collector.add([FieldViolation("state", f"{request.state} is no state that this server knows")])
        query = parsing.query(request, self._page_tokens, self._limits, collector)
        assert parent is not None
        page = await self._deliveries.page(
            parent,
            before=query.position if isinstance(query.position, int) else None,
            size=query.size,
            state=convert.DELIVERY_STATES.from_proto(request.state) if request.state else None,
        )
        return rpc.ListDeliveriesResponse(
            deliveries=map(convert.delivery, page.items),
            next_page_token=self._page_tokens.seal(query.text, page.items[-1].key) if page.more else "",
        )

    async def RedeliverDelivery(self, request: rpc.RedeliverDeliveryRequest, context: Context) -> rpc.Delivery:
        name, attempt = parsing.change(request, "name", DeliveryName.parse, request.name)
        return convert.delivery(await self._deliveries.redeliver(attempt, name))


def _with(webhook: Webhook, given: pb.Webhook, names: Iterable[str]) -> Webhook:
    """The record with those fields as they are given."""
    values: dict[str, Any] = {
        "url": given.url,
        "types": tuple(dict.fromkeys(given.types)),
        "description": given.description,
        "disabled": given.disabled,
        "model_id": ModelName.parse(given.model).model if given.model else "",
    }
    fields = ("model_id" if name == "model" else name for name in names)
    return replace(webhook, **{name: values[name] for name in fields})

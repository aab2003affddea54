"""WebhooksService: parse, one service call, render."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from modelyard.core.names import ModelName, NamespaceName, WebhookName, check_id
from modelyard.v1 import resources_pb2 as pb
from modelyard.v1 import webhooks_pb2 as rpc
from modelyard_server.calls import masks, parsing, validation
from modelyard_server.calls.call import Call
from modelyard_server.calls.errors import FieldViolation, InvalidArgument
from modelyard_server.calls.limits import Limits
from modelyard_server.calls.parsing import Collector
from modelyard_server.log.types import EventTypes
from modelyard_server.outbound.sender import Sender
from modelyard_server.outbound.urls import AddressNotAllowedError
from modelyard_server.query.requests import Lists
from modelyard_server.webhooks.messages import webhook_message
from modelyard_server.webhooks.service import Webhooks
from modelyard_server.webhooks.values import Webhook

_EDITABLE_FIELDS: Final = ("types", "model", "description", "disabled")


class WebhooksServicer:
    """Webhooks: create, read, update, delete, and their secrets."""

    def __init__(self, webhooks: Webhooks, types: EventTypes, sender: Sender, lists: Lists, limits: Limits) -> None:
        self._webhooks = webhooks
        self._types = types
        self._sender = sender
        self._lists = lists
        self._limits = limits

    async def CreateWebhook(self, request: rpc.CreateWebhookRequest, call: Call) -> pb.Webhook:
        collector = Collector()
        parent = collector.parse("parent", NamespaceName.parse, request.parent)
        identity = collector.parse("webhook_id", lambda value: check_id(value, "webhook"), request.webhook_id)
        given = request.webhook
        collector.require("webhook.url", given.url)
        attempt = parsing.attempt(call, request, collector)
        self._check(given, parent, collector)
        assert parent is not None
        assert identity is not None
        now = self._webhooks.mutations.clock()
        webhook = Webhook(
            uid="", create_time=now, update_time=now, name=WebhookName(parent.namespace, identity), url=given.url
        )
        created = await self._webhooks.create(attempt, _with(webhook, given, _EDITABLE_FIELDS))
        return webhook_message(created, secret=self._webhooks.secret(created))

    def _check(self, given: pb.Webhook, namespace: NamespaceName | None, collector: Collector) -> None:
        """Raises all violations in the fields that a caller sets."""
        collector.add(self._types.check("webhook.types", given.types, self._limits.event_types))
        collector.add(validation.text("webhook.description", given.description, max_bytes=self._limits.reason_bytes))
        if given.model:
            collector.add(validation.parsed("webhook.model", ModelName.parse, given.model))
            if namespace is not None and not given.model.startswith(f"{namespace}/"):
                collector.add([FieldViolation("webhook.model", f"{given.model[:200]} is not a model of {namespace}")])
        refused = None
        if given.url:
            try:
                self._sender.check(given.url)
            except (
                AddressNotAllowedError
            ) as error:  # it has its own reason, because only an operator can allow the network
                refused = [FieldViolation("webhook.url", str(error))]
            except ValueError as error:
                collector.add([FieldViolation("webhook.url", str(error))])
        collector.raise_any()
        if refused is not None:
            raise InvalidArgument(refused, reason="ADDRESS_NOT_ALLOWED")

    async def GetWebhook(self, request: rpc.GetWebhookRequest, call: Call) -> pb.Webhook:
        return webhook_message(
            await self._webhooks.get(call.caller, parsing.one("name", WebhookName.parse, request.name))
        )

    async def ListWebhooks(self, request: rpc.ListWebhooksRequest, call: Call) -> rpc.ListWebhooksResponse:
        collector = Collector()
        parent = collector.parse("parent", NamespaceName.parse, request.parent)
        query = self._lists.query(request, collector)
        assert parent is not None
        after = query.after_id
        page = await self._webhooks.page(call.caller, parent, after=after, size=query.size)
        webhooks, token = await self._lists.answer(query, page, webhook_message)
        return rpc.ListWebhooksResponse(webhooks=webhooks, next_page_token=token)

    async def UpdateWebhook(self, request: rpc.UpdateWebhookRequest, call: Call) -> pb.Webhook:
        collector = Collector()
        given = request.webhook
        name = collector.parse("webhook.name", WebhookName.parse, given.name)
        attempt = parsing.attempt(call, request, collector)
        self._check(given, NamespaceName(name.namespace) if name else None, collector)
        patch = masks.parse("webhook", given, masks.of(request))
        if "url" in patch.fields and not given.url:
            raise InvalidArgument([FieldViolation("webhook.url", "is required")])
        assert name is not None

        def apply(current: Webhook) -> Webhook:
            return _with(current, given, patch.fields)

        return webhook_message(await self._webhooks.update(attempt, name, apply, etag=given.etag))

    async def DeleteWebhook(self, request: rpc.DeleteWebhookRequest, call: Call) -> pb.Webhook:
        name, attempt = parsing.change(call, request, "name", WebhookName.parse, request.name)
        return webhook_message(await self._webhooks.delete(attempt, name, etag=request.etag))

    async def RotateWebhookSecret(self, request: rpc.RotateWebhookSecretRequest, call: Call) -> pb.Webhook:
        name, attempt = parsing.change(call, request, "name", WebhookName.parse, request.name)
        rotated = await self._webhooks.rotate(attempt, name, etag=request.etag)
        return webhook_message(rotated, secret=self._webhooks.secret(rotated))


def _with(webhook: Webhook, given: pb.Webhook, names: Iterable[str]) -> Webhook:
    """The webhook with the given fields replaced."""
    values: dict[str, Any] = {
        "url": given.url,
        "types": tuple(dict.fromkeys(given.types)),
        "description": given.description,
        "disabled": given.disabled,
        "model_id": ModelName.parse(given.model).model if given.model else "",
    }
    fields = ("model_id" if name == "model" else name for name in names)
    return replace(webhook, **{name: values[name] for name in fields})

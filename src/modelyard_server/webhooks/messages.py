"""Webhooks as messages."""

from modelyard.core.names import ModelName
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.calls.messages import common
from modelyard_server.webhooks.values import Webhook


def webhook_message(webhook: Webhook, *, secret: str = "") -> pb.Webhook:
    return pb.Webhook(
        **common(webhook),
        name=str(webhook.name),
        url=webhook.url,
        types=webhook.types,
        model=str(ModelName(webhook.name.namespace, webhook.model_id)) if webhook.model_id else "",
        description=webhook.description,
        disabled=webhook.disabled,
        secret=secret,
        created_by=webhook.created_by,
    )

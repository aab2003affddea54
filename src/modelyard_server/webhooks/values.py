"""Webhooks, and which events they are told of."""

from dataclasses import dataclass, field
from datetime import datetime

from modelyard.core.names import WebhookName
from modelyard_server.calls.resource import Resource
from modelyard_server.log.types import is_wanted
from modelyard_server.log.values import Heading


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook(Resource):
    name: WebhookName
    url: str
    types: tuple[str, ...] = ()
    """`alias.moved`, or `alias.*`; all if there are none."""
    model_id: str = ""
    """Of the one model whose events are told; empty for the whole namespace."""
    description: str = ""
    disabled: bool = False
    secret_generation: int = 1
    """Counts the secrets that it has had."""
    overlap_end_time: datetime | None = None
    """Until then deliveries are signed with the secret before the last one too."""
    created_by: str = ""
    queued_revision: int = field(default=0, repr=False, compare=False)
    """The last revision of the log of which it is known who is to be told."""
    namespace_key: int = field(default=0, repr=False, compare=False)


def concerns(webhook: Webhook, event: Heading) -> bool:
    """Whether a webhook is to be told of an event."""
    if webhook.model_id and event.model_id != webhook.model_id:
        return False
    return is_wanted(event.type, webhook.types)

"""Webhooks, and the events that they receive."""

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
    """Event types such as `alias.moved` or `alias.*`. Empty for all types."""
    model_id: str = ""
    """Id of the model whose events are sent. Empty for the whole namespace."""
    description: str = ""
    disabled: bool = False
    secret_generation: int = 1
    """Number of the current secret, from 1."""
    overlap_end_time: datetime | None = None
    """Until this time, requests are also signed with the previous secret."""
    created_by: str = ""
    queued_revision: int = field(default=0, repr=False, compare=False)
    """The last revision of the log whose deliveries have been queued."""
    namespace_key: int = field(default=0, repr=False, compare=False)


def concerns(webhook: Webhook, event: Heading) -> bool:
    """Whether a webhook receives an event."""
    if webhook.model_id and event.model_id != webhook.model_id:
        return False
    return is_wanted(event.type, webhook.types)

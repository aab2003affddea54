"""Converts events to CloudEvents 1.0 in JSON (structured mode). Their data is the Event message of the contract."""

import json
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import json_format

from modelyard.core.names import ModelName, NamespaceName
from modelyard_server.calls.caller import Clock
from modelyard_server.calls.resource import new_uid
from modelyard_server.log.encoding import format_time
from modelyard_server.log.messages import EventMessages
from modelyard_server.log.values import Event, model_of
from modelyard_server.webhooks.signing import Message
from modelyard_server.webhooks.values import Webhook

_TYPES: Final = "dev.modelyard."
TEST_TYPE: Final = "webhook.test"
"""Type of the event that TestWebhook posts. It is not in the log."""


@dataclass(frozen=True, slots=True)
class CloudEvents:
    """Renders events of a namespace's log."""

    messages: EventMessages

    def __call__(self, event: Event, namespace: NamespaceName, namespace_uid: str) -> Message:
        change = event.change
        data = json_format.MessageToDict(self.messages(event), preserving_proto_field_name=True)
        attributes = {
            # The same for each attempt, so that receivers detect duplicates.
            "id": f"{namespace_uid}-{event.revision}",
            "type": f"{_TYPES}{change.type}",
            "subject": change.resource,
            "time": format_time(change.time),
            # CloudEvents extensions for the order of events and for its scope. As text, they sort like revisions.
            "sequence": f"{event.revision:020}",
            "partitionkey": _partition(change.resource, namespace),
        }
        return _message(namespace, attributes, data)


def _partition(resource: str, namespace: NamespaceName) -> str:
    model = model_of(resource)
    return str(ModelName(namespace.namespace, model)) if model else str(namespace)


def trial(webhook: Webhook, clock: Clock) -> Message:
    """The event that TestWebhook posts."""
    attributes = {
        "id": new_uid(),
        "type": f"{_TYPES}{TEST_TYPE}",
        "subject": str(webhook.name),
        "time": format_time(clock()),
    }
    return _message(NamespaceName(webhook.name.namespace), attributes, {"webhook": str(webhook.name)})


def _message(namespace: NamespaceName, attributes: dict[str, str], data: dict[str, Any]) -> Message:
    envelope = {
        "specversion": "1.0",
        "source": f"/{namespace}",
        **attributes,
        "datacontenttype": "application/json",
        "data": data,
    }
    return Message(attributes["id"], json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode())

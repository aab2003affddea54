"""Events as CloudEvents 1.0, in JSON (structured mode). The data is the event as the contract has it."""

import json
from typing import Any, Final

from google.protobuf import json_format

from modelyard.core.names import ModelName, NamespaceName
from modelyard_server.log import messages as convert_events
from modelyard_server.log.changes import Clock, new_uid
from modelyard_server.log.codec import format_time
from modelyard_server.log.values import Event
from modelyard_server.registry.values import Webhook
from modelyard_server.webhooks.values import TEST_TYPE, Message, message_id, source

_TYPES: Final = "dev.modelyard."
_MODELS: Final = "/models/"


def render(event: Event, namespace: NamespaceName, namespace_uid: str) -> Message:
    """One event of a namespace's log."""
    change = event.change
    data = json_format.MessageToDict(convert_events.event(event), preserving_proto_field_name=True)
    attributes = {
        "id": message_id(namespace_uid, event.revision),
        "type": f"{_TYPES}{change.type}",
        "subject": change.resource,
        "time": format_time(change.time),
        # The extensions of CloudEvents for order and for what it is kept within: text that sorts as revisions do.
        "sequence": f"{event.revision:020}",
        "partitionkey": _partition(change.resource, namespace),
    }
    return _message(namespace, attributes, data)


def _partition(resource: str, namespace: NamespaceName) -> str:
    model = resource.partition(_MODELS)[2].partition("/")[0]
    return str(ModelName(namespace.namespace, model)) if model else str(namespace)


def trial(webhook: Webhook, clock: Clock) -> Message:
    """What a test posts."""
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
        "source": source(namespace),
        **attributes,
        "datacontenttype": "application/json",
        "data": data,
    }
    return Message(attributes["id"], json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode())

"""The events of a namespace's log."""

from modelyard._convert.consumers import deployment, webhook
from modelyard._convert.evaluations import evaluation
from modelyard._convert.registry import alias, model, namespace, version
from modelyard.types import Alias, Deployment, Evaluation, Event, Model, Namespace, Version, Webhook
from modelyard.v1 import events_pb2
from modelyard.wire import moment, value_from_proto


def event(message: events_pb2.Event) -> Event:
    return Event(
        revision=message.revision,
        type=message.type,
        resource=message.resource,
        actor=message.actor,
        request_id=message.request_id,
        reason=message.reason,
        time=moment(message.time),
        changes={
            name: (value_from_proto(change.before), value_from_proto(change.after))
            for name, change in message.changes.items()
        },
        snapshot=_snapshot(message),
        hash=message.hash,
        previous_hash=message.previous_hash,
    )


def _snapshot(
    message: events_pb2.Event,
) -> Namespace | Model | Version | Alias | Evaluation | Deployment | Webhook | None:
    match message.WhichOneof("snapshot"):
        case "namespace":
            return namespace(message.namespace)
        case "model":
            return model(message.model)
        case "version":
            return version(message.version)
        case "alias":
            return alias(message.alias)
        case "evaluation":
            return evaluation(message.evaluation)
        case "webhook":
            return webhook(message.webhook)
        case "deployment":
            return deployment(message.deployment)
        case _:
            return None

"""Events as messages."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from google.protobuf import json_format, struct_pb2

from modelyard import wire
from modelyard.v1 import events_pb2 as pb
from modelyard.v1 import resources_pb2
from modelyard_server.log import codec
from modelyard_server.log.values import Event
from modelyard_server.registry import messages as convert


def _unheard(deployment: resources_pb2.Deployment) -> resources_pb2.Deployment:
    """Without its heartbeats, which the log does not tell."""
    deployment.ClearField("heartbeat_time")
    deployment.ClearField("expire_time")
    return deployment


# By the first part of an event's type: the field of the message, and what fills it.
_SNAPSHOTS: Final[Mapping[str, tuple[str, Callable[[dict[str, Any]], Any]]]] = {
    "namespace": ("namespace", lambda stored: convert.namespace(codec.namespace_from_snapshot(stored))),
    "log": ("namespace", lambda stored: convert.namespace(codec.namespace_from_snapshot(stored))),
    "model": ("model", lambda stored: convert.model(codec.model_from_snapshot(stored))),
    "version": ("version", lambda stored: convert.version(codec.version_from_snapshot(stored))),
    "evaluation": (
        "evaluation",
        lambda stored: convert.evaluation(codec.evaluation_from_snapshot(stored)),
    ),
    "deployment": (
        "deployment",
        lambda stored: _unheard(convert.deployment(codec.deployment_from_snapshot(stored))),
    ),
    "webhook": ("webhook", lambda stored: convert.webhook(codec.webhook_from_snapshot(stored))),
    "alias": ("alias", lambda stored: convert.alias(codec.alias_from_snapshot(stored))),
}


def event(event: Event) -> pb.Event:
    change = event.change
    message = pb.Event(
        revision=event.revision,
        type=change.type,
        resource=change.resource,
        actor=change.actor,
        request_id=change.request_id,
        reason=change.reason,
        time=wire.timestamp(change.time),
        changes={
            name: pb.Change(before=_value(before), after=_value(after))
            for name, (before, after) in change.changes.items()
        },
        hash=event.hash,
        previous_hash=event.previous_hash,
    )
    field, build = _SNAPSHOTS[change.type.partition(".")[0]]
    getattr(message, field).CopyFrom(build(dict(change.snapshot)))
    return message


def _value(value: Any) -> struct_pb2.Value:
    return json_format.ParseDict(value, struct_pb2.Value())

"""Encodes namespaces for the log."""

from typing import Final

from modelyard.core.names import NamespaceName
from modelyard_server.log.kinds import Kind
from modelyard_server.log.snapshots import COMMON, common, common_from, optional_time, optional_time_from
from modelyard_server.log.values import Json
from modelyard_server.registry.namespaces.messages import namespace_message
from modelyard_server.registry.namespaces.values import Namespace

_FIELDS_0: Final = COMMON | {"display_name", "description", "labels", "annotations"}
_FIELDS_1: Final = _FIELDS_0 | {"delete_time"}


def encode(namespace: Namespace) -> Json:
    return {
        **common(namespace, namespace.name),
        "display_name": namespace.display_name,
        "description": namespace.description,
        "labels": dict(namespace.labels),
        "annotations": dict(namespace.annotations),
        "delete_time": optional_time(namespace.delete_time),
    }


def decode(stored: Json) -> Namespace:
    return Namespace(
        **common_from(stored),
        name=NamespaceName.parse(stored["name"]),
        display_name=stored.get("display_name", ""),
        description=stored.get("description", ""),
        labels=stored.get("labels", {}),
        annotations=stored.get("annotations", {}),
        delete_time=optional_time_from(stored, "delete_time"),
    )


NAMESPACE: Final = Kind(
    name="namespace",
    verbs=("created", "updated", "deleted", "restored"),
    schemas={0: _FIELDS_0, 1: _FIELDS_1},
    encode=encode,
    decode=decode,
    message_field="namespace",
    render=namespace_message,
)

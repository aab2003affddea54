"""Namespaces as messages."""

from modelyard.v1 import resources_pb2 as pb
from modelyard_server.calls.messages import common, optional_times
from modelyard_server.registry.namespaces.values import Namespace


def namespace_message(namespace: Namespace) -> pb.Namespace:
    return pb.Namespace(
        **common(namespace),
        **optional_times(delete_time=namespace.delete_time),
        name=str(namespace.name),
        display_name=namespace.display_name,
        description=namespace.description,
        labels=namespace.labels,
        annotations=namespace.annotations,
    )

"""What the contract says of each method: read from the descriptors once, at start."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from google.protobuf import message_factory
from google.protobuf.message import Message

from modelyard.v1 import (
    artifacts_pb2,
    deployments_pb2,
    evaluations_pb2,
    events_pb2,
    lineage_pb2,
    options_pb2,
    registry_pb2,
    webhooks_pb2,
)

SERVICES = (
    registry_pb2.DESCRIPTOR.services_by_name["RegistryService"],
    artifacts_pb2.DESCRIPTOR.services_by_name["ArtifactsService"],
    events_pb2.DESCRIPTOR.services_by_name["EventsService"],
    lineage_pb2.DESCRIPTOR.services_by_name["LineageService"],
    evaluations_pb2.DESCRIPTOR.services_by_name["EvaluationsService"],
    webhooks_pb2.DESCRIPTOR.services_by_name["WebhooksService"],
    deployments_pb2.DESCRIPTOR.services_by_name["DeploymentsService"],
)


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC."""

    path: str
    """`/modelyard.v1.RegistryService/GetModel`."""
    name: str
    permission: str
    request: type[Message]
    client_streaming: bool
    server_streaming: bool

    @property
    def unary(self) -> bool:
        return not (self.client_streaming or self.server_streaming)


class ContractError(Exception):
    """The contract lacks something that the server can't do without."""


def table(services: Iterable[Any] = SERVICES) -> dict[str, Method]:
    """All methods by path. A method without a permission is refused: nobody can forget it."""
    methods = {}
    for service in services:
        for descriptor in service.methods:
            path = f"/{service.full_name}/{descriptor.name}"
            permission = descriptor.GetOptions().Extensions[options_pb2.permission]
            if not permission:
                raise ContractError(f"{path} has no (modelyard.v1.permission) option; give it one in the contract")
            methods[path] = Method(
                path=path,
                name=descriptor.name,
                permission=permission,
                request=message_factory.GetMessageClass(descriptor.input_type),
                client_streaming=descriptor.client_streaming,
                server_streaming=descriptor.server_streaming,
            )
    return methods

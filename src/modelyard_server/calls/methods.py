"""The options of each method in the contract, read from the descriptors once at start."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from google.protobuf import message_factory
from google.protobuf.message import Message

from modelyard.v1 import options_pb2

_REGISTRY: Final = "*"
"""In place of a field: the permission is for the registry as a whole."""


class CallClass(IntEnum):
    """Class of calls with similar cost. Each class has its own limits, so that no class starves another."""

    SMALL = options_pb2.CALL_CLASS_SMALL
    UPLOAD = options_pb2.CALL_CLASS_UPLOAD
    BATCH = options_pb2.CALL_CLASS_BATCH
    DOWNLOAD = options_pb2.CALL_CLASS_DOWNLOAD
    WATCH = options_pb2.CALL_CLASS_WATCH
    OUTBOUND = options_pb2.CALL_CLASS_OUTBOUND
    LARGE = options_pb2.CALL_CLASS_LARGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One RPC."""

    service: str
    """`modelyard.v1.RegistryService`."""
    name: str
    permission: str
    resource_fields: tuple[str, ...]
    """Paths of the fields that name the resources of the permission. Empty for the whole registry."""
    call_class: CallClass
    returns_secret: bool
    deadline: float
    """Seconds that a unary call may take. 0 for streams, which may last as long as data flows."""
    request: type[Message]
    client_streaming: bool
    server_streaming: bool

    @property
    def path(self) -> str:
        """`/modelyard.v1.RegistryService/GetModel`."""
        return f"/{self.service}/{self.name}"

    @property
    def unary(self) -> bool:
        return not (self.client_streaming or self.server_streaming)


class ContractError(Exception):
    """The contract lacks an option that the server needs."""


def table(services: Iterable[Any]) -> dict[str, Method]:
    """All methods of services, by path. Raises :class:`ContractError` if a method lacks one of our options."""
    methods = (_method(service, descriptor) for service in services for descriptor in service.methods)
    return {method.path: method for method in methods}


def _method(service: Any, descriptor: Any) -> Method:
    options = descriptor.GetOptions()
    path = f"/{service.full_name}/{descriptor.name}"
    given = {
        "permission": bool(options.Extensions[options_pb2.permission]),
        "call_class": bool(options.Extensions[options_pb2.call_class]),
    }
    for option, is_given in given.items():
        if not is_given:
            raise ContractError(f"{path} has no (modelyard.v1.{option}) option. Add it to the method in the contract.")
    deadline = options.Extensions[options_pb2.default_deadline]
    return Method(
        service=service.full_name,
        name=descriptor.name,
        permission=options.Extensions[options_pb2.permission],
        resource_fields=tuple(path for path in options.Extensions[options_pb2.resource_field] if path != _REGISTRY),
        call_class=CallClass(options.Extensions[options_pb2.call_class]),
        returns_secret=options.Extensions[options_pb2.returns_secret],
        deadline=deadline.seconds + deadline.nanos / 1e9,
        request=message_factory.GetMessageClass(descriptor.input_type),
        client_streaming=descriptor.client_streaming,
        server_streaming=descriptor.server_streaming,
    )

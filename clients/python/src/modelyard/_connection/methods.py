"""What the contract's descriptors say about its methods: nothing of it is listed here a second time."""

import json
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any, Final

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

from modelyard import v1
from modelyard.v1 import options_pb2

_RETRY_POLICY: Final = {
    # 3 s in all: what a pull waits that can do without the registry, and anybody who has mistyped its address.
    "maxAttempts": 5,
    "initialBackoff": "0.2s",
    "backoffMultiplier": 2,
    "maxBackoff": "2s",
    # A server that has just told a connection to go cancels the calls that were already on their way to it.
    "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
}


@cache
def services() -> tuple[ServiceDescriptor, ...]:
    """Every service of the contract."""
    modules = (
        import_module(f"{v1.__name__}.{module.name}")
        for module in pkgutil.iter_modules(v1.__path__)
        if module.name.endswith("_pb2")
    )
    return tuple(service for module in modules for service in module.DESCRIPTOR.services_by_name.values())


def path(method: MethodDescriptor) -> str:
    """As it travels: ``/modelyard.v1.RegistryService/GetModel``."""
    return f"/{method.containing_service.full_name}/{method.name}"


@cache
def bulk_paths() -> frozenset[str]:
    """The methods whose messages would hold up small calls on the same connection.

    Those are streams, and all methods of a service that clients stream bytes to.
    """
    return frozenset(
        path(method)
        for service in services()
        for method in service.methods
        if _streams(method) or any(other.client_streaming for other in service.methods)
    )


def is_retried(method: MethodDescriptor) -> bool:
    """Whether a call may be sent again although the first attempt may have taken effect.

    Streams are not: those who read or write them resume them where they broke.
    """
    level = method.GetOptions().idempotency_level
    return level != MethodOptions.IDEMPOTENCY_UNKNOWN and not _streams(method)


@cache
def reading_paths() -> frozenset[str]:
    """The methods that change nothing."""
    return frozenset(
        path(method)
        for service in services()
        for method in service.methods
        if method.GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS
    )


@cache
def retried_paths() -> frozenset[str]:
    return frozenset(map(path, _retried()))


@cache
def deadlines() -> Mapping[str, float]:
    """Seconds that one attempt of each unary method may take. The registry stops working on it at the same time."""
    return {
        path(method): method.GetOptions().Extensions[options_pb2.default_deadline].ToTimedelta().total_seconds()
        for service in services()
        for method in service.methods
        if not _streams(method)
    }


@cache
def service_config() -> str:
    """The retries of this SDK as JSON, as gRPC in every language reads them. ``make contract`` publishes it.

    No deadlines: one from here is not told to the server, so ``Connection.call`` sets them.
    """
    configs: list[dict[str, Any]] = [
        {
            "name": [{"service": method.containing_service.full_name, "method": method.name}],
            "retryPolicy": _RETRY_POLICY,
        }
        for method in _retried()
    ]
    return json.dumps({"methodConfig": configs, "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.1}})


def _retried() -> Iterator[MethodDescriptor]:
    return (method for service in services() for method in service.methods if is_retried(method))


def _streams(method: MethodDescriptor) -> bool:
    return bool(method.client_streaming or method.server_streaming)

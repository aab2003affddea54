"""Counts calls as soon as gRPC knows their method: also those that never come as far as a handler.

What gRPC itself refuses reaches no code of ours. A message that is too large, or a call that is cancelled before its
message is whole, is counted as started and never as ended. A method that does not exist is counted as ``unknown``.
"""

from collections.abc import Mapping
from typing import Final

import grpc

from modelyard_server.calls.codes import Code
from modelyard_server.rpc.handlers import Handler
from modelyard_server.telemetry import Metrics

_UNKNOWN: Final = "unknown"


class Arrivals(grpc.GenericRpcHandler):
    """The handlers of the contract's methods, by path."""

    def __init__(self, handlers: Mapping[str, Mapping[str, Handler]], metrics: Metrics) -> None:
        self._handlers = {
            f"/{service}/{method}": (handler, metrics.started.labels(method))
            for service, methods in handlers.items()
            for method, handler in methods.items()
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "Handler | None":
        found = self._handlers.get(handler_call_details.method)
        if found is None:
            return None
        handler, started = found
        started.inc()
        return handler


class Unknown(grpc.GenericRpcHandler):
    """Asked last: no handler knows the method, and gRPC answers UNIMPLEMENTED."""

    def __init__(self, metrics: Metrics) -> None:
        self._started = metrics.started.labels(_UNKNOWN)
        self._ended = metrics.calls.labels(_UNKNOWN, Code.UNIMPLEMENTED.name)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> None:  # noqa: ARG002 (the base's)
        self._started.inc()
        self._ended.inc()

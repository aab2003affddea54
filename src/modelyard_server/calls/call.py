"""One call on its way through the server."""

from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final

import grpc
from google.protobuf.message import Message

from modelyard_server.calls.methods import Method

# The first that a request has names what it is about; for the log only.
_RESOURCE_FIELDS: Final = ("name", "parent", "reference", "upload", "version")


@dataclass(slots=True)
class Call:
    """What is known of a call; the stages and the servicers add to it."""

    method: Method
    context: "grpc.aio.ServicerContext[Any, Any]"
    id: str
    """The caller's `x-request-id`, or one of ours: what joins its log to ours."""
    actor: str = "anonymous"
    resource: str = ""
    code: grpc.StatusCode = grpc.StatusCode.OK
    reason: str = ""
    error_id: str = ""
    bytes_in: int = 0
    bytes_out: int = 0
    started: float = field(default_factory=perf_counter)

    def describe(self, request: Message) -> None:
        """Notes what a request is about."""
        fields = request.DESCRIPTOR.fields_by_name
        for name in _RESOURCE_FIELDS:
            value = getattr(request, name, None) if name in fields else None
            if isinstance(value, str) and value:
                self.resource = value
                return
        for name in ("model", "namespace", "alias", "version"):
            # In some requests it is a name, and that may be missing.
            if name in fields and isinstance(inner := getattr(request, name), Message):
                self.resource = getattr(inner, "name", "")
                return


current: Final[ContextVar[Call]] = ContextVar("current_call")
"""The call that this task serves."""

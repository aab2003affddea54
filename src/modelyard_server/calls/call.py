"""One call on its way through the server, whatever door it came in by."""

from dataclasses import dataclass, field
from time import perf_counter
from typing import NoReturn, Protocol

from google.protobuf.message import Message

from modelyard_server.calls.caller import ANONYMOUS, Caller
from modelyard_server.calls.codes import Code
from modelyard_server.calls.errors import RegistryError
from modelyard_server.calls.methods import Method


class Door(Protocol):
    """What a call is asked for that each protocol answers in its own way."""

    def remaining(self) -> float | None:
        """Seconds that the caller still waits; None if it set no deadline."""
        ...

    async def refuse(self, code: Code, error: RegistryError) -> NoReturn:
        """Ends the call with an error."""
        ...


@dataclass(slots=True)
class Call:
    """What is known of a call; the stages and the servicers add to it."""

    method: Method
    door: Door
    id: str
    """Of this call, made by the server: what joins a caller's log to ours."""
    caller: Caller = ANONYMOUS
    origin: dict[str, str] = field(default_factory=dict)
    """Where it came from, for the log: peer, user agent, the caller's own ids."""
    resource: str = ""
    code: Code = Code.OK
    reason: str = ""
    error_id: str = ""
    bytes_in: int = 0
    bytes_out: int = 0
    started: float = field(default_factory=perf_counter)

    def describe(self, request: Message) -> None:
        """Notes what a request is about, for the log."""
        for path in self.method.resource_fields:
            if value := _text_at(request, path):
                self.resource = value
                return


def _text_at(message: Message, path: str) -> str:
    value: object = message
    for name in path.split("."):
        value = getattr(value, name, None)
    return value if isinstance(value, str) else ""

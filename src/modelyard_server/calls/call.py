"""One call on its way through the server, independent of the protocol."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import NoReturn, Protocol

from google.protobuf.message import Message

from modelyard_server.calls.caller import ANONYMOUS, Caller
from modelyard_server.calls.codes import Code
from modelyard_server.calls.errors import RegistryError
from modelyard_server.calls.methods import Method
from modelyard_server.calls.offload import ENTRY_BYTES


@dataclass(frozen=True, slots=True)
class Turn:
    """A place that a stream holds until its client has read the messages, and that others may wait for."""

    until: float
    """When the client has had long enough if others wait, by the clock of the event loop."""
    is_wanted: Callable[[], bool]
    """Whether others wait."""


class Door(Protocol):
    """The operations of a call that each protocol implements."""

    def remaining(self) -> float | None:
        """Seconds until the caller's deadline; None without a deadline."""
        ...

    async def refuse(self, code: Code, error: RegistryError) -> NoReturn:
        """Ends the call with an error."""
        ...


@dataclass(slots=True)
class Call:
    """The state of one call. Stages and servicers add to it."""

    method: Method
    door: Door
    id: str
    """The server's id of this call. It relates the log of the caller to that of the server."""
    caller: Caller = ANONYMOUS
    origin: dict[str, str] = field(default_factory=dict)
    """The origin of the call, for the log: peer, user agent, ids of the caller."""
    resource: str = ""
    turn: Turn | None = None
    """The place that a stream holds at the moment. None if it holds none."""
    code: Code = Code.OK
    reason: str = ""
    error_id: str = ""
    request_bytes: int = 0
    """Bytes of the request, of a call that has one; they are in memory as long as the call waits."""
    bytes_in: int = 0
    bytes_out: int = 0
    started: float = field(default_factory=perf_counter)

    @property
    def entries(self) -> int:
        """About how many entries its request has at most, for ``offload``."""
        return self.request_bytes // ENTRY_BYTES

    def describe(self, request: Message) -> None:
        """Stores the name of the request's resource, for the log."""
        for path in self.method.resource_fields:
            if value := _text_at(request, path):
                self.resource = value
                return


def _text_at(message: Message, path: str) -> str:
    value: object = message
    for name in path.split("."):
        value = getattr(value, name, None)
    return value if isinstance(value, str) else ""

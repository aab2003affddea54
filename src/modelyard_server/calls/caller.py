"""The caller of a call, and the properties of a call that a change needs."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

Clock = Callable[[], datetime]
"""Returns the current time, timezone-aware, in UTC."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of a service method. Every service method takes one."""

    actor: str
    """The caller's name in the log."""


ANONYMOUS: Final = Caller("anonymous")
"""Every caller, until there is access control."""

SYSTEM: Final = Caller("system")
"""The server itself."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call that changes something."""

    caller: Caller
    method: str
    payload_hash: str
    """Hash of the request without its request_id. It tells a retry from another request with the same id."""
    request_id: str = ""
    validate_only: bool = False
    returns_secret: bool = False
    """The answer contains a secret or a lease."""

    @property
    def actor(self) -> str:
        return self.caller.actor

    @property
    def logged_id(self) -> str:
        """The request_id for the log. Empty if the answer has a secret: a reader of the log could request it again."""
        return "" if self.returns_secret else self.request_id

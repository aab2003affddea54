"""Who calls, and what a change needs to know of its call."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

Clock = Callable[[], datetime]
"""The time now, aware, in UTC."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks for something. Every service method takes one."""

    actor: str
    """As the log names it."""


ANONYMOUS: Final = Caller("anonymous")
"""Everybody, until there is access control."""

SYSTEM: Final = Caller("system")
"""The server itself."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call that wants to change something."""

    caller: Caller
    method: str
    payload_hash: str
    """Of the request without its request_id: what tells a retry from another request under the same id."""
    request_id: str = ""
    validate_only: bool = False
    returns_secret: bool = False
    """The answer holds a secret or a lease."""

    @property
    def actor(self) -> str:
        return self.caller.actor

    @property
    def logged_id(self) -> str:
        """What the log tells of the request_id: whoever knows it can have the answer again, secrets and all."""
        return "" if self.returns_secret else self.request_id

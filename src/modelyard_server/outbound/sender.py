"""The interface through which capabilities post to URLs of callers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of one attempt."""

    status_code: int
    """0 if the receiver did not answer."""
    error: str
    """Why the delivery failed, for the owner of the URL; empty if it succeeded."""
    latency: float
    """Seconds."""
    retry_after: float | None = None
    """Seconds that the receiver requests before the next attempt."""

    @property
    def delivered(self) -> bool:
        return not self.error


class Sender(Protocol):
    def check(self, url: str) -> None:
        """Raises ``ValueError`` if a URL is invalid, ``AddressNotAllowedError`` if its address is not allowed."""
        ...

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Posts once. Every failure of the receiver is an answer, not an exception."""
        ...

    async def close(self) -> None: ...

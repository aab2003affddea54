"""What capabilities ask of the network: posting to where somebody else says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one attempt."""

    status_code: int
    """0 if the receiver did not answer."""
    error: str
    """Why it does not count as delivered, in words for the owner of the URL; empty if it does."""
    latency: float
    """Seconds."""
    retry_after: float | None = None
    """Seconds for which the receiver asks to be left alone."""

    @property
    def delivered(self) -> bool:
        return not self.error


class Sender(Protocol):
    def check(self, url: str) -> None:
        """Raises ``ValueError`` if a URL can't be posted to, ``AddressNotAllowedError`` for where it leads."""
        ...

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Posts once. Whatever the receiver does is an answer, and no exception."""
        ...

    async def close(self) -> None: ...

"""Page tokens: the position at which a list continues, encrypted and bound to its query."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from modelyard_server.calls.errors import InvalidArgument, invalid

_SEAL_BYTES: Final = 16

Cursor = str | int | tuple[Any, ...] | list[Any]
"""A position in JSON. A tuple is decoded as a list."""


def _refused(why: str) -> InvalidArgument:
    return invalid("page_token", f"{why}. Start again without a token.", reason="PAGE_TOKEN_INVALID")


def _text(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class PageTokens:
    """Encrypts and decrypts tokens. Every replica must have the same key."""

    key: bytes
    clock: Callable[[], datetime]
    ttl: float
    """Seconds."""

    def _seal(self, payload: bytes, query: str) -> bytes:
        return hmac.digest(self.key, hashlib.sha256(query.encode()).digest() + payload, "sha256")[:_SEAL_BYTES]

    def seal(self, query: str, position: Cursor) -> str:
        """A token for the rows after ``position``. ``query`` holds everything that must not change between pages."""
        payload = json.dumps([1, int(self.clock().timestamp()), position], separators=(",", ":")).encode()
        return _text(self._seal(payload, query) + payload)

    def open(self, query: str, token: str) -> Cursor | None:
        """The position in a token; None for an empty token."""
        if not token:
            return None
        try:
            sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except ValueError:
            sealed = b""
        # Base64 has several encodings of the same bytes. Only the one that the server returned is valid.
        if _text(sealed) != token:
            raise _refused("this is not a page token")
        seal, payload = sealed[:_SEAL_BYTES], sealed[_SEAL_BYTES:]
        if not hmac.compare_digest(seal, self._seal(payload, query)):
            raise _refused("the token is not from this query: only page_size may change between pages")
        _format, issued, position = json.loads(payload)
        if self.clock().timestamp() - issued > self.ttl:
            raise _refused("the token has expired")
        return cast("Cursor", position)

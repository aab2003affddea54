"""Texts as indexes hold them."""

import hashlib
from typing import Final

_LONGEST: Final = 200
_KEPT: Final = 160


def indexed(text: str) -> str:
    """``text`` as an index holds it: a long one by its beginning and its hash, so that equality still is exact."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_KEPT]}…{hashlib.sha256(text.encode()).hexdigest()}"

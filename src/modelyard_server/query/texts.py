"""Texts as stored in indexes."""

import hashlib
from typing import Final

_MAX_LENGTH: Final = 200
_PREFIX_LENGTH: Final = 160


def indexed(text: str) -> str:
    """``text`` as stored in an index. A long text is cut and gets its hash, so that equality stays exact."""
    if len(text) <= _MAX_LENGTH:
        return text
    return f"{text[:_PREFIX_LENGTH]}…{hashlib.sha256(text.encode()).hexdigest()}"

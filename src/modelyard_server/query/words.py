"""Splits free text into words for search: without case, accents and punctuation, equal on every database."""

import re
import unicodedata
from typing import Final

MAX_QUERY: Final = 256
"""Characters."""
_WORD: Final = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    bare = (each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
    return _WORD.findall("".join(bare).casefold())


def parse_query(text: str) -> list[str]:
    """The words of a search. Raises ``ValueError`` with a message for the user."""
    if len(text) > MAX_QUERY:
        raise ValueError(f"is {len(text)} characters long; at most {MAX_QUERY} are allowed")
    found = words(text)
    if not found:
        raise ValueError(f"{text!r} has no words")
    return found

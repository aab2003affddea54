"""Free text as the words that it is found by: without case, accents and punctuation, alike on every database."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from modelyard_server.registry.values import Model

MAX_QUERY: Final = 256
"""Characters."""
_WORD: Final = re.compile(r"[^\W_]+")
# An index takes no more of one text.
_LONGEST: Final = 32 << 10


@dataclass(frozen=True, slots=True)
class Words:
    """A model's texts, those that weigh most first; the words of each separated by spaces."""

    id: str
    display_name: str
    description: str
    labels: str


def words(text: str) -> list[str]:
    bare = (each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
    return _WORD.findall("".join(bare).casefold())


def words_of(model: Model) -> Words:
    labels = " ".join(f"{key} {value}" for key, value in sorted(model.labels.items()))
    texts = (model.name.model, model.display_name, model.description, labels)
    return Words(*(" ".join(words(text[:_LONGEST])) for text in texts))


def parse_query(text: str) -> list[str]:
    """The words that are looked for. ``ValueError`` says what is wrong."""
    if len(text) > MAX_QUERY:
        raise ValueError(f"is {len(text)} characters long; at most {MAX_QUERY} are allowed")
    found = words(text)
    if not found:
        raise ValueError(f"{text!r} has no word in it")
    return found

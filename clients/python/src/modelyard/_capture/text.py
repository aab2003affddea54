"""Text from outside as text that any registry takes."""

from typing import Final

MAX_CHARACTERS: Final = 1024


def clean(text: str) -> str:
    """``text`` on one line, not too long, and without what can't be shown or sent.

    Arguments, paths and variables may hold bytes that are no UTF-8, which Python keeps as lone surrogates.
    """
    line = "".join(character if character.isprintable() else "�" for character in text[: MAX_CHARACTERS + 1])
    return line if len(line) <= MAX_CHARACTERS else f"{line[: MAX_CHARACTERS - 1]}…"

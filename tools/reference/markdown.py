"""Pieces of Markdown that several pages need."""

import re
from collections.abc import Iterable, Sequence
from textwrap import indent
from typing import Final

GENERATED: Final = "<!-- Made by `make docs`. Change its source, not this file. -->"

_ROLE: Final = re.compile(r":(?:py:)?(?:mod|class|func|meth|attr|exc|data):`~?\.?([^`]+)`")
_LITERAL: Final = re.compile(r"``([^`]+)``")


def page(title: str, *parts: str) -> str:
    return "\n\n".join([GENERATED, f"# {title}", *(part.strip("\n") for part in parts if part.strip())]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def entry(term: str, text: str) -> str:
    """A term of a definition list, and what it means."""
    return f"{term}\n\n:   {indent(text.strip() or '(see its type)', '    ').lstrip()}"


def prose(text: str) -> str:
    """A docstring or comment as Markdown: its roles and literals as code, its examples as blocks."""
    return _examples(_LITERAL.sub(r"`\1`", _ROLE.sub(r"`\1`", text)))


def _examples(text: str) -> str:
    """Fences lines that show a session of the interpreter. A lone angle bracket would be read as HTML."""
    lines: list[str] = []
    fenced = False
    for line in text.splitlines():
        shown = line.lstrip().startswith((">>>", "..."))
        if shown != fenced:
            lines += ["", "```pycon"] if shown else ["```", ""]
            fenced = shown
        lines.append(line)
    if fenced:
        lines.append("```")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")

"""The code blocks of a page, and what a reader is to do with each."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_FENCE: Final = re.compile(r"^( *)(`{3,}) *([\w-]*)(.*)$")
_TITLE: Final = re.compile(r'title="([^"]+)"')
_SETUP: Final = re.compile(r"^<!-- run: (.+) -->$")
PROMPT: Final = "$ "
_CONTINUED: Final = "> "


@dataclass(kw_only=True)
class Command:
    """A command line, and what it prints."""

    line: int
    """Of the page, from 0: where the command begins."""
    text: str
    end: int = 0
    """The line of the page behind the command's output."""
    output: list[str] = field(default_factory=list)
    output_line: int = 0


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block, or a comment ``<!-- run: … -->`` with a command that prepares the next ones."""

    page: Path
    line: int
    """From 0: its first line of code."""
    indent: int
    language: str
    title: str
    lines: list[str]

    @property
    def code(self) -> str:
        return "\n".join(self.lines) + "\n"

    def place(self, line: int | None = None) -> str:
        """A line of the page for people: ``team.md:12``."""
        return f"{self.page.name}:{(self.line if line is None else line) + 1}"

    def commands(self) -> Iterator[Command]:
        """Of a ``console`` block."""
        current: Command | None = None
        for number, text in enumerate(self.lines, self.line):
            if text.startswith(PROMPT):
                if current is not None:
                    yield current
                current = Command(line=number, text=text.removeprefix(PROMPT), output_line=number + 1, end=number + 1)
                continue
            assert current is not None, f"{self.page}:{number + 1}: a console block starts with '$ '"
            current.end = number + 1
            if text.startswith(_CONTINUED) and not current.output:
                current.text += f"\n{text.removeprefix(_CONTINUED)}"
                current.output_line = number + 1
            else:
                current.output.append(text)
        if current is not None:
            yield current


def blocks(page: Path) -> Iterator[Block]:
    """In the order of the page."""
    lines = page.read_text().splitlines()
    number = 0
    while number < len(lines):
        opened, setup = _FENCE.match(lines[number]), _SETUP.match(lines[number])
        number += 1
        if setup:
            yield Block(page=page, line=number, indent=0, language="setup", title="", lines=[setup[1]])
        if not opened:
            continue
        start, indent = number, len(opened[1])
        while lines[number].strip() != opened[2]:
            number += 1
        title = _TITLE.search(opened[4])
        yield Block(
            page=page,
            line=start,
            indent=indent,
            language=opened[3],
            title=title[1] if title else "",
            lines=[text[indent:] for text in lines[start:number]],
        )
        number += 1

"""What a command has to hand: the registry, and the two channels that it speaks on."""

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any, Literal, TextIO, TypeVar

import typer
from rich.console import Console, RenderableType
from rich.text import Text

import modelyard
from modelyard.cli import documents
from modelyard.cli.exits import Exit
from modelyard.cli.progress import progress_bars
from modelyard.cli.streams import written
from modelyard.cli.text import escape_lines

_T = TypeVar("_T")
_ROWS_AT_ONCE = 1000
_UNWRAPPED = 10_000
"""Columns: what goes into a pipe is never cut to the width of a terminal that nobody looks at."""


class Output(StrEnum):
    """For whom a command writes."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One run of one command."""

    url: str | None = None
    insecure: bool = False
    output: Output = Output.TABLE
    quiet: bool = False

    def client(self) -> modelyard.Client:
        return modelyard.Client(self.url, insecure=self.insecure)

    def show(self, document: Any, people: RenderableType, *, done: str = "") -> None:
        """Writes the answer, for programs or for people. ``done``: see :func:`~modelyard.cli.streams.written`."""
        with written(done):
            match self.output:
                case Output.JSON:
                    documents.write(document, sys.stdout)
                case Output.JSONL:
                    documents.write_line(document, sys.stdout)
                case Output.TABLE:
                    _console(sys.stdout).print(people, soft_wrap=isinstance(people, Text), crop=False)

    def show_list(self, key: str, values: Iterable[_T], table: Callable[[list[_T]], RenderableType], none: str) -> None:
        """Writes a list.

        As one document it is written once it is complete. Else it is written as it comes: a line for each value, or
        tables of at most a thousand rows; ``none`` says that it is empty.
        """
        failures: list[OSError] = []
        try:
            with written():
                self._list(key, _noted(values, failures), table, none)
        except OSError:
            if failures:  # of the values, and not of stdout
                raise failures[0] from None
            raise

    def _list(self, key: str, values: Iterable[_T], table: Callable[[list[_T]], RenderableType], none: str) -> None:
        if self.output is Output.JSON:
            documents.write_list(key, values, sys.stdout)
            return
        if self.output is Output.JSONL:
            for value in values:
                documents.write_line(value, sys.stdout)
            return
        rest = iter(values)
        rows = list(islice(rest, _ROWS_AT_ONCE))
        if not rows:
            self.note(none)
        while rows:
            _console(sys.stdout).print(table(rows))
            rows = list(islice(rest, _ROWS_AT_ONCE))

    def note(self, text: str) -> None:
        """Says something to people beside the answer, if they want to hear it."""
        if self.output is Output.TABLE and not self.quiet:
            sys.stderr.write(f"{escape_lines(text)}\n")

    @contextmanager
    def remarks_of_the_sdk(self) -> Iterator[None]:
        """Says on stderr that a registry is away and tried again, for as long as a command runs."""
        logger, told = logging.getLogger("modelyard.connection"), _Told(self)
        logger.addHandler(told)
        try:
            yield
        finally:
            logger.removeHandler(told)

    @property
    def can_ask(self) -> bool:
        """Whether a person is there to be asked."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    def confirm(self, question: str, *, yes: bool) -> None:
        """Asks a person before something is taken away, unless ``yes`` was said already; a no ends the command."""
        if yes or not self.can_ask:
            return
        if not typer.confirm(question, err=True):
            raise typer.Exit(Exit.OTHER)

    @contextmanager
    def progress(self) -> Iterator[Callable[[modelyard.Progress], None] | Literal[False]]:
        """Bars on stderr while files travel; False without a terminal or with ``--quiet``."""
        if self.quiet or not sys.stderr.isatty():
            yield False
            return
        with progress_bars(_console(sys.stderr)) as update:
            yield update


class _Told(logging.Handler):
    """Log records as remarks."""

    def __init__(self, session: Session) -> None:
        super().__init__(logging.WARNING)
        self._session = session

    def emit(self, record: logging.LogRecord) -> None:
        self._session.note(record.getMessage())


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Raises, because Rich would end the process with exit code 1."""
        raise BrokenPipeError


def _console(file: TextIO) -> Console:
    terminal = file.isatty()
    # Told, not guessed: the guess can be overruled by variables that are meant for other programs.
    return _Console(file=file, force_terminal=terminal, width=None if terminal else _UNWRAPPED, highlight=False)


def _noted(values: Iterable[_T], failures: list[OSError]) -> Iterator[_T]:
    """The values. Notes the error that they end with."""
    try:
        yield from values
    except OSError as error:
        failures.append(error)
        raise

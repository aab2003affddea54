"""Standard streams that are closed, full or gone."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO


def open_missing() -> None:
    """Gives the process the standard streams that it was started without, as by ``>&-`` or by a service manager.

    They lead nowhere. Without them the next file that is opened would get a standard stream's number, and what is
    printed would go into it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - a number, for good
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


class ReaderGoneError(Exception):
    """The reader of stdout has closed it. Not an ``OSError``, for which the parser has an exit code of its own."""


class UnwrittenError(OSError):
    """Stdout did not take what a command printed, as on a disk that is full."""


@contextmanager
def written(done: str = "") -> Iterator[None]:
    """Flushes stdout after the block.

    Raises :class:`UnwrittenError` if stdout can't be written, and :class:`ReaderGoneError` if its reader has closed it.
    ``done`` names a change that was made all the same, as ``team/fraud@7 was pushed``. The error begins with it.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise ReaderGoneError from None
    except OSError as error:
        told = f"stdout can't be written: {error.strerror or error}"
        raise UnwrittenError(f"{done}, but {told}" if done else told) from error


def give_up(stream: TextIO) -> None:
    """Drops what could not be written, so that the interpreter does not complain when it closes the stream."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def tell(text: str) -> None:
    """Writes to stderr, if that can be written to: an error must not hide another."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):
        give_up(sys.stderr)

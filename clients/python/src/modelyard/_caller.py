"""The way back from the private loop to the thread that called the synchronous client.

Progress callbacks and warnings belong there: a callback may then take its time, or call the client again, and a warning
names the line of the program that caused it. Calls of the asynchronous client are on the right thread already.
"""

import sys
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from queue import SimpleQueue
from typing import TypeVar

_T = TypeVar("_T")

Mail = Callable[[], object]

mailbox: ContextVar[SimpleQueue[Mail | None] | None] = ContextVar("mailbox", default=None)
"""What the waiting thread is asked to call, then None to end its wait. Not set where no other thread waits."""


def on_caller(callback: Callable[[_T], None]) -> Callable[[_T], None]:
    """A callback for the private loop that has the given one called by the waiting thread."""
    return lambda value: tell(partial(callback, value))


def warn(message: str, category: type[Warning]) -> None:
    """Warns the program, at its line and not at one of the SDK's."""
    tell(partial(_warn, message, category))


def tell(mail: Mail) -> None:
    """Has the waiting thread call it, or calls it if no other thread waits."""
    box = mailbox.get()
    if box is None:
        mail()
    else:
        box.put(mail)


def _warn(message: str, category: type[Warning]) -> None:
    level, frame = 1, sys._getframe()  # noqa: SLF001 - public in all but name, and what `warnings` itself uses
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "modelyard":
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)

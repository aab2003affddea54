"""What programs read: one JSON document a command, with the field names of :mod:`modelyard.types`.

Names are canonical (``namespaces/team/models/fraud/versions/3``), times are RFC 3339 in UTC, sizes are bytes. Fields
are added over time and never change their meaning.
"""

import json
import shutil
import textwrap
from collections.abc import Iterable
from tempfile import SpooledTemporaryFile
from typing import Any, Final, TextIO

from modelyard.core.record import plain

_IN_MEMORY: Final = 1 << 20
"""Bytes of a list that wait in memory for its end; more wait on disk."""


def dumps(value: Any, *, indent: int | None = 2) -> str:
    # Pure ASCII: whatever was stored, nothing in it acts on a terminal.
    return json.dumps(plain(value), indent=indent, allow_nan=False)


def write(value: Any, out: TextIO) -> None:
    out.write(f"{dumps(value)}\n")


def write_line(value: Any, out: TextIO) -> None:
    """One document on one line, at once: a reader may act on each."""
    out.write(f"{dumps(value, indent=None)}\n")
    out.flush()


def write_list(key: str, values: Iterable[Any], out: TextIO) -> None:
    """``{key: [...]}``, or nothing if a value can't be had. A long list waits on disk until it is complete."""
    with SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="ascii") as waiting:
        waiting.write(f'{{\n  "{key}": [')
        comma = "\n"
        for value in values:
            waiting.write(f"{comma}{textwrap.indent(dumps(value), '    ')}")
            comma = ",\n"
        waiting.write("]\n}\n" if comma == "\n" else "\n  ]\n}\n")
        waiting.seek(0)
        shutil.copyfileobj(waiting, out)

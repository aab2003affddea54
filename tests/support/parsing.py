"""Keeps a bug of CPython 3.11 from ending a test run: "AST constructor recursion depth mismatch" (gh-106905).

``ast.parse`` counts its depth in a variable of the whole interpreter. The collector of garbage may run meanwhile.
What it frees may run Python code, for instance asyncio's report of a task whose exception nobody has read, and another
thread may get its turn. If either of them calls ``ast.parse``, as every formatted traceback does, the outer call fails
with SystemError. pytest calls it to show a failed test, outside of any test, so the whole run ends.

Without the collector no Python code runs in the middle of ``ast.parse``.
"""

import ast
import gc
from functools import wraps
from typing import Any, Final

_parse: Final = ast.parse


@wraps(_parse)
def _parse_undisturbed(*arguments: Any, **options: Any) -> Any:
    enabled = gc.isenabled()
    gc.disable()
    try:
        return _parse(*arguments, **options)
    finally:
        if enabled:
            gc.enable()


def parse_undisturbed() -> None:
    """From now on, for the whole process."""
    ast.parse = _parse_undisturbed

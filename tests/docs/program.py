"""Runs a Python block of a page as a program. As in a notebook, it may await at the top."""

import ast
import asyncio
import inspect
import sys
from pathlib import Path


def main() -> None:
    path = Path(sys.argv[1])
    code = compile(path.read_text(), path.name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, {"__name__": "__main__"})  # the page's own code
    if inspect.iscoroutine(result):
        asyncio.run(result)

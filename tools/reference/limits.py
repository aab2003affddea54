"""The page of the limits, from where they are defined."""

import ast
import inspect
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final

from tools.reference.markdown import page, prose, table

from modelyard.core import limits as shared
from modelyard_server.calls import limits as of_server
from modelyard_server.calls.limits import Limits

_INTRODUCTION: Final = """\
What is beyond a limit is refused with an error that names the field, the value and the limit, and changes nothing. The
SDK checks most limits before it sends anything. Sizes are in bytes, times in seconds.
"""
_SHARED: Final = "The SDK and the server have these in common."
_SERVER: Final = "Only the server has these. With them neither memory nor time of a call follows what is stored."


def pages() -> dict[str, str]:
    return {
        "limits.md": page(
            "Limits",
            _INTRODUCTION,
            "## Of what is stored and sent",
            _SHARED,
            table(
                ("Limit", "Value", "Meaning"),
                _rows(shared, dict(_documented(inspect.getsource(shared)))),
            ),
            "## Sizes and times of the server",
            _SERVER,
            table(
                ("Limit", "Value", "Meaning"),
                _rows(Limits(), dict(_documented(inspect.getsource(of_server)))),
            ),
        )
    }


def _documented(source: str) -> Iterator[tuple[str, str]]:
    """Names of a module or of its class, each with the text below its value; without those of the shared limits."""
    for holder in ast.walk(ast.parse(source)):
        if not isinstance(holder, ast.Module | ast.ClassDef):
            continue
        for one, below in pairwise(holder.body):
            if not isinstance(one, ast.AnnAssign) or not isinstance(one.target, ast.Name):
                continue
            if isinstance(one.value, ast.Attribute):  # shared.MAX_…
                continue
            if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                yield one.target.id, " ".join(str(below.value.value).split())


def _rows(holder: object, meanings: Mapping[str, str]) -> list[tuple[str, str, str]]:
    values = {name: getattr(holder, name) for name in meanings}
    return [
        (_name(name), _value(value), prose(meanings[name]))
        for name, value in values.items()
        if isinstance(value, int | float)
    ]


def _name(name: str) -> str:
    return name.removeprefix("MAX_").replace("_", " ").lower()


def _value(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,}"

"""Python's parser works in the test runner while garbage is collected; see tests/support/parsing.py."""

import ast
import gc
from collections.abc import Iterator

import pytest

_SOURCE = "\n".join(f"x{number} = [f(a, b + {number}, c[{number}:]) for a in range({number})]" for number in range(500))


@pytest.fixture
def parsing_collector() -> Iterator[None]:
    """A collector that runs often, and whose finalizers parse, as those do that format a traceback."""

    def parse(phase: str, _: object) -> None:
        if phase == "stop":
            ast.parse("a + b")

    before = gc.get_threshold()
    gc.callbacks.append(parse)
    gc.set_threshold(50)
    yield
    gc.set_threshold(*before)
    gc.callbacks.remove(parse)


@pytest.mark.usefixtures("parsing_collector")
def test_source_is_parsed_while_finalizers_parse_too() -> None:
    assert len(ast.parse(_SOURCE).body) == 500
    assert gc.isenabled()

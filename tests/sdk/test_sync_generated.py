"""The synchronous client is the asynchronous one, waiting."""

import inspect
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import GenericAlias
from typing import get_args, get_origin, get_type_hints

import pytest

import modelyard
from modelyard import AsyncClient, AsyncServing, Client, Serving

GENERATOR = Path(__file__).parents[2] / "clients" / "python" / "tools" / "generate_sync.py"
METHODS = [name for name, _ in inspect.getmembers(AsyncClient, inspect.isfunction) if not name.startswith("_")]


def test_the_written_files_are_fresh() -> None:
    done = subprocess.run([sys.executable, GENERATOR, "--check"], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_both_have_the_same_methods() -> None:
    assert [name for name, _ in inspect.getmembers(Client, inspect.isfunction) if not name.startswith("_")] == METHODS


@pytest.mark.parametrize("name", ["__init__", *METHODS])
def test_both_take_the_same_and_give_the_same(name: str) -> None:
    asynchronous, synchronous = getattr(AsyncClient, name), getattr(Client, name)
    expected, actual = get_type_hints(asynchronous), get_type_hints(synchronous)
    gives = expected["return"]
    if get_origin(gives) is AsyncIterator:
        expected["return"] = GenericAlias(Iterator, get_args(gives))
    faces = {AsyncServing: Serving, AsyncServing | None: Serving | None}
    expected = {parameter: faces.get(hint, hint) for parameter, hint in expected.items()}

    assert actual == expected
    assert [(p.name, p.kind, p.default) for p in inspect.signature(synchronous).parameters.values()] == [
        (p.name, p.kind, p.default) for p in inspect.signature(asynchronous).parameters.values()
    ]
    assert not inspect.iscoroutinefunction(synchronous)
    assert synchronous.__doc__


@pytest.mark.parametrize("name", ["push", "pull", "resolve"])
def test_the_functions_are_the_methods(name: str) -> None:
    function, method = getattr(modelyard, name), getattr(Client, name)

    assert list(inspect.signature(function).parameters) == list(inspect.signature(method).parameters)[1:]
    assert get_type_hints(function) == get_type_hints(method)
    assert inspect.getdoc(function) == inspect.getdoc(method)


def test_no_docstring_speaks_of_waiting_to_those_who_do_nothing_else() -> None:
    for documented in (Client, Serving, *(getattr(Client, name) for name in METHODS)):
        assert not {"await", "async", "AsyncClient"} & set((documented.__doc__ or "").split())

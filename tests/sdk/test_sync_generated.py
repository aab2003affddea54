"""The synchronous client is the asynchronous one, waiting."""

import inspect
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest

import modelyard
from modelyard import AsyncClient, AsyncPager, AsyncServing, Client, Pager, Serving

GENERATOR = Path(__file__).parents[2] / "clients" / "python" / "tools" / "generate_sync.py"
RESOURCES = [
    name for name, member in vars(AsyncClient).items() if isinstance(member, cached_property) and name[0] != "_"
]
VERBS = ("push", "pull", "resolve", "watch", "promote")


def kind_of(client: type, resource: str) -> type:
    """The class of ``client.models`` and the like."""
    kind: type = get_type_hints(inspect.getattr_static(client, resource).func)["return"]
    return kind


TWINS = [(AsyncClient, Client), *((kind_of(AsyncClient, name), kind_of(Client, name)) for name in RESOURCES)]


def methods(kind: type) -> list[str]:
    return [name for name, _ in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")]


METHODS = [
    pytest.param(asynchronous, synchronous, name, id=f"{synchronous.__name__}.{name}")
    for asynchronous, synchronous in TWINS
    for name in methods(asynchronous)
]


def face(hint: Any) -> Any:
    """How the synchronous client calls a type of the asynchronous one."""
    origins: dict[Any, Any] = {AsyncIterator: Iterator, AsyncPager: Pager}
    if (origin := get_origin(hint)) in origins:
        return origins[origin][get_args(hint)]
    return {AsyncServing: Serving, AsyncServing | None: Serving | None}.get(hint, hint)


def test_the_written_files_are_fresh() -> None:
    done = subprocess.run([sys.executable, GENERATOR, "--check"], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_both_have_the_same_resources() -> None:
    assert [name for name, member in vars(Client).items() if isinstance(member, cached_property)] == RESOURCES
    assert {name.lower() for name in ("Models", "Versions", "Aliases", "Events", "Lineage")} <= set(RESOURCES)


@pytest.mark.parametrize(("asynchronous", "synchronous"), TWINS)
def test_both_have_the_same_methods(asynchronous: type, synchronous: type) -> None:
    assert methods(synchronous) == methods(asynchronous)
    assert synchronous.__name__ == asynchronous.__name__.removeprefix("Async")


@pytest.mark.parametrize(("asynchronous", "synchronous", "name"), METHODS)
def test_both_take_the_same_and_give_the_same(asynchronous: type, synchronous: type, name: str) -> None:
    one, other = getattr(asynchronous, name), getattr(synchronous, name)

    assert get_type_hints(other) == {parameter: face(hint) for parameter, hint in get_type_hints(one).items()}
    assert [(p.name, p.kind, p.default) for p in inspect.signature(other).parameters.values()] == [
        (p.name, p.kind, p.default) for p in inspect.signature(one).parameters.values()
    ]
    assert not inspect.iscoroutinefunction(other)
    assert other.__doc__


def test_both_are_made_alike() -> None:
    assert get_type_hints(Client.__init__) == get_type_hints(AsyncClient.__init__)


@pytest.mark.parametrize(("asynchronous", "synchronous", "name"), METHODS)
def test_every_list_accepts_a_page_size(asynchronous: type, synchronous: type, name: str) -> None:
    method = getattr(synchronous, name)
    if get_origin(get_type_hints(method)["return"]) is Pager:
        assert "page_size" in inspect.signature(method).parameters


@pytest.mark.parametrize("name", VERBS)
def test_the_functions_are_the_methods(name: str) -> None:
    function, method = getattr(modelyard, name), getattr(Client, name)

    assert list(inspect.signature(function).parameters) == list(inspect.signature(method).parameters)[1:]
    assert get_type_hints(function) == get_type_hints(method)
    assert (inspect.getdoc(function) or "") == re.sub(r"\byard\.", "modelyard.", inspect.getdoc(method) or "")
    assert "modelmodelyard" not in (inspect.getdoc(function) or "")


def test_no_docstring_of_the_synchronous_client_speaks_of_waiting() -> None:
    documented = [Serving, Pager, *(synchronous for _, synchronous in TWINS)]
    documented += [getattr(synchronous, name) for _, synchronous in TWINS for name in methods(synchronous)]
    for each in documented:
        assert not {"await", "async", "AsyncClient"} & set((each.__doc__ or "").split())

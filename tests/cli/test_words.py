"""Messages of the SDK and the registry in the words of a command line."""

import re
from functools import cache
from pathlib import Path

import pytest

from modelyard.cli import words

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("namespaces/team was not found.", "team was not found."),
        ("namespaces/team/models/fraud.v2.", "team/fraud.v2."),
        ("namespaces/team/models/fraud/versions/3, which is deleted", "team/fraud@3, which is deleted"),
        ("of namespaces/team/models/fraud/aliases/production: 4", "of team/fraud@production: 4"),
    ],
)
def test_models_and_versions_are_named_as_people_type_them(told: str, shown: str) -> None:
    assert words.of_command_line(told) == shown


@pytest.mark.parametrize(
    "name",
    [
        "namespaces/team/webhooks/deployer",
        "namespaces/team/webhooks/deployer/deliveries/8",
        "namespaces/team/models/fraud/deployments/0d3f",
        "namespaces/team/models/fraud/versions/3/evaluations/0d3f",
    ],
)
def test_no_part_of_a_longer_name_is_shortened(name: str) -> None:
    assert words.of_command_line(f"{name} was not found.") == f"{name} was not found."


@cache
def sources() -> str:
    """The text of all that says something to programs; a string that goes on in the next line is in one piece."""
    folders = (ROOT / "src", ROOT / "clients/python/src")
    found = (path for folder in folders for path in folder.rglob("*.py") if path.name != "words.py")
    return re.sub(r'"\n\s*f?"', "", "\n".join(path.read_text() for path in found))


@pytest.mark.parametrize("sentence", words.WORDS)
def test_what_is_replaced_is_what_is_said(sentence: str) -> None:
    assert sentence in sources()

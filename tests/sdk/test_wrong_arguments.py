"""Arguments of another type are refused before anything is sent, with their value and what to give instead."""

from typing import Any

import pytest

from modelyard import AsyncClient
from modelyard.errors import InvalidArgumentError

NOBODY = "grpc://127.0.0.1:1"


@pytest.mark.parametrize(
    ("verb", "arguments", "told"),
    [
        ("pull", (7,), "reference: 7 is not text. Give text, for example 'team/fraud@7'."),
        ("pull", ("team/fraud@7", ["a"]), "target: ['a'] is not a path. Give one file or one folder"),
        ("promote", ("team/fraud", 3), "alias: 3 is not an alias. Name the version as 'team/fraud@3'."),
        ("promote", ("team/fraud@3", None), "alias: None is not text. Give text, for example 'production'."),
        ("push", ("team/fraud", ["a"]), "files: ['a'] is not a path. Give one file or one folder; include chooses"),
        ("push", (7, "out"), "model: 7 is not text. Give text, for example 'team/fraud'."),
    ],
)
async def test_an_argument_of_another_type_is_refused(verb: str, arguments: tuple[Any, ...], told: str) -> None:
    async with AsyncClient(NOBODY) as yard:
        with pytest.raises(InvalidArgumentError) as caught:
            await getattr(yard, verb)(*arguments)
    assert told in caught.value.message


async def test_a_kind_of_value_is_named_in_english() -> None:
    async with AsyncClient(NOBODY) as yard:
        with pytest.raises(InvalidArgumentError, match="description: is an int; give text"):
            await yard.check("team/fraud", description=7)  # type: ignore[arg-type]  # the wrong argument

"""The reasons of errors: what the contract says of them is what the server raises."""

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.rpc import code_pb2

import modelyard_server
from modelyard.v1 import errors_pb2, options_pb2
from modelyard_server.calls import codes, errors

_PREFIX = "ERROR_REASON_"
_VALUES = {
    value.name.removeprefix(_PREFIX): value.GetOptions().Extensions[options_pb2.error]
    for value in errors_pb2.ErrorReason.DESCRIPTOR.values
    if value.number
}
_SOURCES = Path(modelyard_server.__file__).parent


@dataclass(frozen=True)
class Raised:
    """One place in the server's code that makes an error."""

    place: str
    reason: str
    code: int
    metadata: frozenset[str]


def _kinds() -> dict[str, type[errors.RegistryError]]:
    classes = {name: kind for name, kind in vars(errors).items() if inspect.isclass(kind)}
    kinds = {name: kind for name, kind in classes.items() if kind in codes.CODES}
    return {**kinds, "invalid": errors.InvalidArgument}


def _implied(kind: type[errors.RegistryError]) -> set[str]:
    """Metadata that the class adds by itself."""
    if issubclass(kind, errors.ResourceError):
        return {"resource"}
    return {"field", "violationCount"} if issubclass(kind, errors.InvalidArgument) else set()


def _raised(file: Path) -> Iterator[Raised]:
    kinds = _kinds()
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name not in kinds:
            continue
        place = f"{file.relative_to(_SOURCES)}:{node.lineno}"
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        reason = given.get("reason", ast.Constant("INVALID_FIELD"))
        if isinstance(reason, ast.Name):  # `invalid` hands on what its callers give it
            assert file.name == "errors.py", place
            continue
        metadata = given.get("metadata", ast.Dict([], []))
        assert isinstance(reason, ast.Constant), f"{place}: the reason is not a literal"
        assert isinstance(metadata, ast.Dict), f"{place}: the metadata is not a literal"
        keys = {ast.literal_eval(key) for key in metadata.keys if key is not None}
        code = int(codes.CODES[kinds[name]])
        yield Raised(place, str(reason.value), code, frozenset(keys | _implied(kinds[name])))


_RAISED = [raised for file in sorted(_SOURCES.rglob("*.py")) for raised in _raised(file)]


@pytest.mark.parametrize("raised", _RAISED, ids=lambda raised: f"{raised.reason} {raised.place}")
def test_the_server_raises_only_the_errors_of_the_contract(raised: Raised) -> None:
    assert raised.reason in _VALUES
    documented = _VALUES[raised.reason]
    assert code_pb2.Code.Name(raised.code) == code_pb2.Code.Name(documented.code)
    assert raised.metadata == set(documented.metadata)


def test_the_contract_has_no_reason_that_the_server_never_raises() -> None:
    assert set(_VALUES) == {raised.reason for raised in _RAISED}


@pytest.mark.parametrize("reason", _VALUES)
def test_every_reason_says_its_code_its_metadata_and_whether_to_retry(reason: str) -> None:
    handling: Any = _VALUES[reason]

    assert handling.code != code_pb2.OK
    assert handling.retry != options_pb2.RETRY_UNSPECIFIED
    assert len(set(handling.metadata)) == len(handling.metadata)
    assert all(re.fullmatch(r"[a-z][a-zA-Z0-9]*", key) for key in handling.metadata)

"""A change that breaks users of the released contract fails `make check`."""

import subprocess
from pathlib import Path

import pytest
from protos import generate

_BREAKS = {
    "a removed field": ("registry.proto", "  bool force = 3 [(google.api.field_behavior) = OPTIONAL];\n", ""),
    "another type": ("registry.proto", "  bool force = 3 ", "  string force = 3 "),
    "a renamed enum value": ("errors.proto", "  ERROR_REASON_FAILPOINT = 142 ", "  ERROR_REASON_FAULT = 142 "),
}


def _against_released(scratch: Path) -> "subprocess.CompletedProcess[str]":
    command = [str(generate.BIN / "buf"), "breaking", "--against", str(generate.RELEASED)]
    return subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)


def test_the_contract_does_not_break_the_released_one(tmp_path: Path) -> None:
    generate.workspace(tmp_path)

    assert _against_released(tmp_path).stdout == ""


@pytest.mark.parametrize(("file", "before", "after"), _BREAKS.values(), ids=_BREAKS)
def test_a_change_that_breaks_users_is_found(tmp_path: Path, file: str, before: str, after: str) -> None:
    generate.workspace(tmp_path)
    proto = tmp_path / generate.PACKAGE / file
    text = proto.read_text()
    assert text.count(before) == 1
    proto.write_text(text.replace(before, after))

    found = _against_released(tmp_path)

    assert found.returncode != 0
    assert file in found.stdout

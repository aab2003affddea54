"""Ids of promises, attacks and faults, such as R1, A82 and F14, refer to docs/explanation/promises.md."""

import re
from pathlib import Path
from typing import Final

import pytest
from tests.support.children import ROOT

_LIST: Final = ROOT / "docs" / "explanation" / "promises.md"
_ROW: Final = re.compile(r"^\| ([RAFD]\d+) \| (.+?) \| (.+) \|$", re.MULTILINE)
_ID: Final = re.compile(r"\b(?:R\d{1,2}|[AF]\d{2,3}|D\d{2})\b")
_FILE: Final = re.compile(r"`([^`]+)`")
_ROWS: Final = {row[1]: row[3] for row in _ROW.finditer(_LIST.read_text())}


def _used_in(file: Path) -> set[str]:
    # Codes of the linter look the same.
    lines = [line for line in file.read_text().splitlines() if "noqa" not in line]
    return set(_ID.findall("\n".join(lines)))


@pytest.mark.parametrize("folder", ["tests", "docs", "."])
def test_every_id_that_is_used_is_in_the_list(folder: str) -> None:
    files = [*(ROOT / folder).glob("*.md")] if folder == "." else [*(ROOT / folder).rglob("*.*")]
    unknown = {str(file): _used_in(file) - set(_ROWS) for file in files if file.suffix in {".py", ".md"}}
    assert {name: ids for name, ids in unknown.items() if ids} == {}


def test_no_id_is_given_twice() -> None:
    ids = [row[1] for row in _ROW.finditer(_LIST.read_text())]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("id_", _ROWS)
def test_each_row_names_files_that_exist_and_use_it(id_: str) -> None:
    named = [ROOT / name for name in _FILE.findall(_ROWS[id_])]
    assert named
    for file in named:
        assert file.is_file(), file
    # A few attacks are on what has a test without the id: these are listed in the catalogue, with the test's name.
    catalogue = ROOT / "tests" / "attacks" / "test_catalogue.py"
    assert any(id_ in _used_in(file) for file in (*named, catalogue, ROOT / "tests" / "support" / "paths.py"))

"""Links between the files of the repository lead somewhere. `make docs` checks those inside the site, with anchors."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.support.children import ROOT
from tools.reference.__main__ import write

_LINK: Final = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)|(?:src|srcset)=\"([^\"]+)\"")
_NAMED: Final = re.compile(r"\bdocs/[\w/.-]+\.(?:md|svg)\b")
_DOCS: Final = ROOT / "docs"
_MADE: Final = _DOCS / "reference"


def _committed() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in listed.splitlines()]


@pytest.mark.parametrize("page", [p for p in _committed() if p.suffix == ".md"], ids=lambda page: page.name)
def test_relative_links_lead_to_files(page: Path) -> None:
    links = [one or other for one, other in _LINK.findall(page.read_text())]
    targets = [page.parent / link for link in links if not re.match(r"[a-z]+:", link)]
    missing = [t for t in targets if not t.exists() and not t.resolve().is_relative_to(_MADE)]
    assert missing == []
    if page.is_relative_to(_DOCS):
        assert [t for t in targets if not t.resolve().is_relative_to(_DOCS)] == []


def test_every_page_is_in_the_navigation(tmp_path: Path) -> None:
    write(tmp_path)
    made = {f"reference/{path.relative_to(tmp_path).as_posix()}" for path in tmp_path.rglob("*.md")}
    kept = {
        path.relative_to(_DOCS).as_posix() for path in _committed() if path.suffix == ".md" and _DOCS in path.parents
    }
    navigation = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"]
    assert sorted(_pages(navigation)) == sorted(made | kept)


def _pages(entry: object) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
    for inner in entry if isinstance(entry, list) else entry.values() if isinstance(entry, dict) else ():
        yield from _pages(inner)


def test_documents_that_code_and_texts_name_exist() -> None:
    missing = {
        f"{file.relative_to(ROOT)} names {name}"
        for file in _committed()
        if file.suffix in {".py", ".proto", ".md", ".toml", ".pyi"}
        for name in _NAMED.findall(file.read_text())
        if not (ROOT / name).exists() and not name.startswith("docs/reference/")
    }
    assert missing == set()

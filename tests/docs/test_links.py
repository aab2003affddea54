"""Links between the files of the repository lead somewhere. `make docs` checks those inside the site, with anchors."""

import re
import subprocess
from pathlib import Path
from typing import Final

import pytest
from tests.support.children import ROOT

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


def test_documents_that_code_and_texts_name_exist() -> None:
    missing = {
        f"{file.relative_to(ROOT)} names {name}"
        for file in _committed()
        if file.suffix in {".py", ".proto", ".md", ".toml", ".pyi"}
        for name in _NAMED.findall(file.read_text())
        if not (ROOT / name).exists() and not name.startswith("docs/reference/")
    }
    assert missing == set()

"""Every command of the documentation works, and prints what the page shows.

Each page is read from top to bottom as a reader would, in an empty folder, against one server for all pages. So no two
pages use the same namespace.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.docs.blocks import blocks
from tests.docs.reader import UPDATE, Reader
from tests.support.children import ROOT
from tests.support.receiver import CERTIFICATE
from tests.support.server import ServerProcess

HINT: Final = "If the commands do what they should, MODELYARD_DOCS_UPDATE=1 has the pages show their new output."
DOCS: Final = ROOT / "docs"
# A tutorial goes on where the one before it ends.
TUTORIALS: Final = [DOCS / "tutorials" / f"{name}.md" for name in ("train-and-push", "serve", "team")]
OTHERS: Final = [
    page
    for page in (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))
    if page not in TUTORIALS and not page.is_relative_to(DOCS / "reference") and any(True for _ in blocks(page))
]


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("registry"), "--webhook-networks", "127.0.0.0/8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        process.start()
    yield process
    process.close()


def test_all_tutorials_are_read() -> None:
    assert sorted(TUTORIALS) == sorted((DOCS / "tutorials").glob("*.md"))


@pytest.mark.parametrize("pages", [TUTORIALS, *([page] for page in OTHERS)], ids=lambda pages: pages[-1].stem)
def test_a_reader_gets_what_the_page_shows(pages: list[Path], registry: ServerProcess, tmp_path: Path) -> None:
    reader = Reader(tmp_path, registry.url)
    reader.read(*pages)
    assert UPDATE or reader.differences == [], "\n\n".join([HINT, *reader.differences])

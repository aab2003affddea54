"""Writes the reference pages into docs/reference, and removes those that nothing makes any more.

python -m tools.reference [--output FOLDER]
"""

import argparse
from pathlib import Path
from typing import Final

from tools.reference import commands, contract, filters, limits, python_api, settings

SOURCES: Final = (commands, contract, filters, limits, python_api, settings)
ROOT: Final = Path(__file__).resolve().parents[2]


def write(folder: Path) -> None:
    """Writes the pages into ``folder``. Pages that are equal keep their times, so that a build need not repeat them."""
    made = {name: text for source in SOURCES for name, text in source.pages().items()}
    for stale in (path for path in folder.rglob("*.md") if path.relative_to(folder).as_posix() not in made):
        stale.unlink()
    for name, text in made.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "reference")
    write(parser.parse_args().output)


if __name__ == "__main__":
    main()

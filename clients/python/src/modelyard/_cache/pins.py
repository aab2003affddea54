"""Versions that links of users lead to: they stay as long as the links do."""

import hashlib
import json
import os
from contextlib import closing
from pathlib import Path

from modelyard._cache.layout import Layout, Staging


def pin(layout: Layout, link: Path, snapshot: Path) -> None:
    """Keeps a snapshot for as long as ``link`` leads to it, once that is made."""
    path = layout.pins / hashlib.sha256(os.fsencode(link)).hexdigest()
    with closing(Staging(layout)) as staging:
        new = staging.path / path.name
        new.write_text(json.dumps({"link": os.fsdecode(link), "snapshot": snapshot.name}))
        new.replace(path)


def pinned(layout: Layout) -> dict[str, list[Path]]:
    """The links by the names of the snapshots that they lead to. Forgets those that are gone, or lead elsewhere."""
    found: dict[str, list[Path]] = {}
    for path in layout.pins.iterdir():
        try:
            told = json.loads(path.read_bytes())
            link, name = told["link"], told["snapshot"]
            if Path(link).samefile(layout.snapshots / name / "files"):
                found.setdefault(name, []).append(Path(link))
                continue
        except (OSError, ValueError, KeyError, TypeError):
            pass
        path.unlink(missing_ok=True)
    return found

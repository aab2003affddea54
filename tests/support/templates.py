"""Databases that are migrated once in a run, to be copied: running the migrations takes longer than most tests."""

import shutil
from functools import cache
from pathlib import Path
from typing import Final

from tests.support.children import run_server
from tests.support.shared import once_per_run

EMBEDDED: Final = "modelyard.db"
"""The name of the database in a data directory."""


def migrate(*arguments: str) -> None:
    """``modelyard-server migrate``, to its end."""
    done = run_server("migrate", *arguments)
    assert done.returncode == 0, done.stderr


def sqlite_into(data: Path) -> None:
    """Makes the data directory of a server with a migrated database; leaves one alone that is there."""
    if not data.exists():
        data.mkdir(mode=0o700)
        sqlite_at(data / EMBEDDED)


def sqlite_at(path: Path) -> None:
    """A migrated database in a new file, for its owner only."""
    path.touch(mode=0o600)
    shutil.copyfile(_sqlite(), path)


@cache
def _sqlite() -> Path:
    return once_per_run("migrated.db", _make_sqlite)


def _make_sqlite(path: Path) -> None:
    data = path.with_suffix(".data")
    migrate("--data-dir", str(data))
    assert not (data / f"{EMBEDDED}-wal").exists(), "it is not all in one file"
    (data / EMBEDDED).rename(path)
    shutil.rmtree(data)

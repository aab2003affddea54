"""What is made once in a run of the tests, also if several workers share the run."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

_folder: Path | None = None


def use(factory: pytest.TempPathFactory) -> None:
    """Tells this process where the run keeps what its workers share. It goes with the run's other temporary files."""
    global _folder  # noqa: PLW0603 (set once, before the first test)
    base = factory.getbasetemp()
    # Each worker of pytest-xdist has a folder of its own below the run's.
    _folder = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def once_per_run(name: str, make: Callable[[Path], None]) -> Path:
    """The file or folder that ``make`` has made at the path that it is given.

    The first worker that asks for it makes it; others wait meanwhile. If a maker dies, the next one makes it anew.
    """
    assert _folder is not None, "no test runs"
    made, unfinished = _folder / name, _folder / f"{name}.unfinished-{os.getpid()}"
    with (_folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the kernel lets go of it if we die
        if not made.exists():
            make(unfinished)
            unfinished.rename(made)
    return made

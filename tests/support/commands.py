"""Other programs, run to their end."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.server import clean_environment

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")


def run(*command: str | Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> str:
    """What it prints; fails the test with its errors if it fails."""
    variables = clean_environment() if env is None else env
    done = subprocess.run(command, check=False, cwd=cwd, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout

"""The check of a registry, as its operator runs it."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.support.server import BIN, ServerProcess, clean_environment


def run_fsck(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """``modelyard-server fsck``, to its end."""
    command = [BIN / "modelyard-server", "fsck", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=clean_environment(), timeout=100)


def fsck_of(data_dir: Path, database_url: str | None = None, *, read_data: bool = False) -> Any:
    """The report on a data directory and, unless the database is in it, a PostgreSQL database."""
    database = [] if database_url is None else ["--database-url", database_url]
    reading = ["--read-data"] if read_data else []
    done = run_fsck("--data-dir", data_dir, *database, *reading, "--output", "json")
    assert done.returncode in {0, 1}, done.stderr
    report = json.loads(done.stdout)
    assert report["clean"] == (done.returncode == 0)
    return report


def fsck(server: ServerProcess, *, read_data: bool = False) -> Any:
    """The report on a server's data, whether it runs or not."""
    return fsck_of(server.folder / "data", database_url_of(server), read_data=read_data)


def database_url_of(server: ServerProcess) -> str | None:
    """None if the database is in the data directory."""
    flag = "--database-url"
    return server.flags[server.flags.index(flag) + 1] if flag in server.flags else None


def assert_clean(server: ServerProcess, *, read_data: bool = False) -> None:
    report = fsck(server, read_data=read_data)
    assert report["clean"], json.dumps(report["faults"], indent=2)

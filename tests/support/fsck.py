"""The check of a registry, as its operator runs it."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.support.server import BIN, ServerProcess, clean_environment


def fsck(server: ServerProcess, *, read_data: bool = False) -> Any:
    """What ``modelyard-server fsck`` says of a server's data, whether it runs or not."""
    where = ["--data-dir", str(server.folder / "data")]
    if "--database-url" in server.flags:
        where += ["--database-url", server.flags[server.flags.index("--database-url") + 1]]
    command: list[str | Path] = [
        BIN / "modelyard-server",
        "fsck",
        *where,
        "--output",
        "json",
        *(["--read-data"] if read_data else []),
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=clean_environment(), timeout=100)
    assert done.returncode in {0, 1}, done.stderr
    report = json.loads(done.stdout)
    assert report["clean"] == (done.returncode == 0)
    return report


def assert_clean(server: ServerProcess, *, read_data: bool = False) -> None:
    report = fsck(server, read_data=read_data)
    assert report["clean"], json.dumps(report["faults"], indent=2)

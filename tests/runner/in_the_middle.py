"""A test that has started everything, and never ends; see test_children.py. Not collected unless it is named."""

import os
import signal
import subprocess
from pathlib import Path

from tests.support.postgres import Postgres
from tests.support.server import ServerProcess


def test_it(server: ServerProcess, postgres: Postgres) -> None:
    folder = server.folder / "second"
    folder.mkdir()
    second = ServerProcess(folder, "--database-url", postgres.migrated()).start()
    other = subprocess.Popen(["/bin/sleep", "1000"])
    pids = (os.getpid(), server.pid, second.pid, postgres.pid, other.pid)
    Path(os.environ["TOLD"]).write_text(f"{' '.join(map(str, pids))} {postgres.folder}\n")
    signal.pause()

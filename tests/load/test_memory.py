"""R17: memory does not follow the size of a model, on either side."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from tests.support.scale import SCALE
from tests.support.server import ServerProcess, clean_environment

_MIB = 1 << 20
_SIZE = 384 * SCALE * _MIB
_GROWTH = 100 * _MIB
_CLIENT = """
import sys
import modelyard
url, cache, action, path = sys.argv[1:]
with modelyard.Client(url, cache_dir=cache) as client:
    client.namespaces.get("default")
    print("ready", flush=True)
    sys.stdin.readline()
    if action == "push":
        client.push("fraud", path, capture=False)
    else:
        client.pull("fraud@latest")
"""


class Peak:
    """How far the memory of some processes grew meanwhile, each by itself."""

    def __init__(self) -> None:
        self.grown: dict[int, int] = {}

    @contextmanager
    def watch(self, *pids: int) -> Iterator[None]:
        processes = {psutil.Process(pid): psutil.Process(pid).memory_info().rss for pid in pids}
        done = threading.Event()

        def look() -> None:
            while not done.wait(0.02):
                for process, base in processes.items():
                    grown = process.memory_info().rss - base
                    self.grown[process.pid] = max(self.grown.get(process.pid, 0), grown)

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def _run(server: ServerProcess, cache: Path, action: str, path: Path) -> dict[str, int]:
    command = [sys.executable, "-c", _CLIENT, server.url, str(cache), action, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    client = subprocess.Popen(command, env=clean_environment(), **pipes)  # type: ignore[call-overload]  # a plain dict
    assert client.stdout.readline() == "ready\n", client.communicate()[1]
    peak = Peak()
    with peak.watch(server.pid, client.pid):
        client.stdin.write("go\n")
        client.stdin.flush()
        # Not reaped before the watch has ended: its memory can't be read then.
        client.stdout.read()
    _, err = client.communicate()
    assert client.returncode == 0, err
    return {"server": peak.grown[server.pid], "client": peak.grown[client.pid]}


@pytest.mark.timeout(600 * SCALE)
def test_a_large_file_up_and_down(server: ServerProcess, tmp_path: Path) -> None:
    weights = tmp_path / "model.bin"
    with weights.open("wb") as file:
        file.truncate(_SIZE)  # the registry can't know that it is all holes

    for action in ("push", "pull"):
        grown = _run(server, tmp_path / "cache", action, weights)
        assert max(grown.values()) <= _GROWTH, (action, grown)

"""Measures how long it takes until something can be done: import of the SDK, and a server's first answer."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import modelyard
from benchmarks import population, servers
from benchmarks.measure import Times, timed
from benchmarks.report import Row

_IMPORT = "import time; t = time.perf_counter(); import modelyard; print(time.perf_counter() - t)"


def run(rounds: int = 5, versions: int = 100_000) -> Iterator[Row]:
    times = Times()
    for _ in range(rounds):
        imported = subprocess.run([sys.executable, "-c", _IMPORT], check=True, capture_output=True, text=True)
        times.add("import", float(imported.stdout))
        with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as folder:
            times.add("empty", timed(partial(_first_answer, Path(folder))))
    with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as name:
        data = Path(name) / "data"
        with servers.modelyard(data):
            pass
        population.fill_modelyard(data, models=versions // 50, versions=versions, busy=0)
        for _ in range(rounds):
            times.add("large", timed(partial(_first_answer, data)))
    yield Row("import modelyard", f"{times['import'] * 1000:.0f} ms", "at most 150 ms")
    yield Row("server start to first answer, empty", f"{times['empty']:.2f} s", "at most 2 s")
    yield Row(f"server start to first answer, {versions:,} versions", f"{times['large']:.2f} s", "at most 3 s")


def _first_answer(data: Path) -> None:
    address = f"127.0.0.1:{servers.free_port()}"
    command: list[str | Path] = [servers.BIN / "modelyard-server", "serve", "--data-dir", data, "--listen", address]
    process = subprocess.Popen([*command, "--admin-listen", "", "--log-level", "warning"])
    try:
        with modelyard.Client(f"grpc://{address}") as client:
            client.namespaces.get("default")
    finally:
        process.kill()
        process.wait()

"""Measures small calls: resolving an alias and creating a version, by 1 and by 16 clients, here and with MLflow.

Each client has connections of its own, is its system's own, and calls as fast as it gets answers. 16 of them are in two
processes: ours as tasks, MLflow's, which block, as threads.
"""

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks import population, servers
from benchmarks.report import Row

SECONDS = 5.0
PROCESSES = 2
SMALL = {"models": 10, "versions": 10, "busy": 0}


@dataclass(frozen=True, slots=True)
class Rate:
    """What some clients got out of a server."""

    p50: float
    """Seconds; the median of all calls."""
    p95: float
    per_second: float


@dataclass(frozen=True, slots=True)
class System:
    """A running server and how to start a client of it."""

    client: Sequence[str]
    url: str
    process: psutil.Process

    def measure(self, action: str, model: str, clients: int = 1) -> Rate:
        processes = min(clients, PROCESSES)
        command = [*self.client, self.url, action, model, str(SECONDS), str(clients // processes)]
        started = [
            subprocess.Popen(command, cwd=servers.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(processes)
        ]
        for process in started:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise SystemExit(f"a client of {self.url} failed")
        for process in started:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        times = [float(line) for process in started for line in process.communicate()[0].splitlines()]
        return Rate(statistics.median(times), statistics.quantiles(times, n=20)[18], len(times) / SECONDS)


@contextmanager
def modelyard(folder: Path, size: dict[str, int]) -> Iterator[System]:
    data = folder / "modelyard"
    with servers.modelyard(data):
        pass
    population.fill_modelyard(data, **size)
    with servers.modelyard(data) as (url, process):
        yield System((sys.executable, "-m", "benchmarks.modelyard_client"), url, process)


@contextmanager
def mlflow(folder: Path, size: dict[str, int]) -> Iterator[System]:
    data = folder / "mlflow"
    with servers.mlflow(data):
        pass
    population.fill_mlflow(data, **size)
    with servers.mlflow(data) as (url, process):
        yield System((str(servers.PEER_BIN / "python"), "benchmarks/mlflow_client.py"), url, process)


@dataclass(frozen=True, slots=True)
class Measure:
    """A line of the table: a call, a database, a number of clients, and the target ratio."""

    name: str
    action: str
    model: str
    p50: float
    """By this factor the median must be shorter with one client; 0 where nothing is asked for."""
    per_second: float
    """By this factor more must be answered with 16 clients."""


SMALL_MEASURES = (
    Measure("resolve an alias, small database", "resolve", population.MODEL, 5, 10),
    Measure("create a version, small database", "create", population.MODEL, 0, 3),
)
LARGE_MEASURES = (
    Measure("resolve an alias, 2,000 models and 100k versions", "resolve", population.MODEL, 15, 10),
    Measure("create a version of a model with 10k", "create", population.BUSY_MODEL, 0, 10),
)


def run(models: int = 2000, versions: int = 100_000) -> Iterator[Row]:
    large = {"models": models, "versions": versions, "busy": versions // 10}
    for measures, size in ((SMALL_MEASURES, SMALL), (LARGE_MEASURES, large)):
        with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as folder:
            for measure in measures:
                yield from _compare(Path(folder) / measure.action, size, measure)


def _compare(folder: Path, size: dict[str, int], measure: Measure) -> Iterator[Row]:
    folder.mkdir()
    # One after the other, each alone on the machine.
    with modelyard(folder, size) as system:
        ours = {clients: system.measure(measure.action, measure.model, clients) for clients in (1, 16)}
    with mlflow(folder, size) as system:
        theirs = {clients: system.measure(measure.action, measure.model, clients) for clients in (1, 16)}
    yield Row(
        f"{measure.name}: p50, 1 client",
        f"{ours[1].p50 * 1000:.2f} ms",
        f"mlflow {theirs[1].p50 * 1000:.1f} ms",
        theirs[1].p50 / ours[1].p50,
        measure.p50,
    )
    yield Row(
        f"{measure.name}: 16 clients",
        f"{ours[16].per_second:,.0f}/s",
        f"mlflow {theirs[16].per_second:,.0f}/s",
        ours[16].per_second / theirs[16].per_second,
        measure.per_second,
    )

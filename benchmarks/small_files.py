"""Measures a version of 500 files of 10 KiB, pushed and pulled, here and with MLflow."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import modelyard
from benchmarks import servers
from benchmarks.measure import Times, timed
from benchmarks.report import Row
from benchmarks.transfer import mlflow_transfer

FILES = 500
BYTES = 10 << 10


def run(rounds: int = 5) -> Iterator[Row]:
    times = Times()
    with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as name:
        folder = Path(name)
        with servers.modelyard(folder / "data") as (url, _), servers.mlflow(folder / "mlflow") as (peer_url, _):
            client = modelyard.Client(url, cache_dir=folder / "cache")
            peer = mlflow_transfer(peer_url)
            for _ in range(rounds):
                model, pulled = folder / "model", folder / "pulled"
                _make(model)
                times.add("push", timed(partial(client.push, "bench/model", model, capture=False)))
                times.add("pull", timed(partial(client.pull, "bench/model@latest")))
                times.add("peer push", peer("push", model))
                pulled.mkdir()
                times.add("peer pull", peer("pull", pulled))
                for used in (model, pulled, folder / "cache"):
                    shutil.rmtree(used)
    for action in ("push", "pull"):
        other = f"peer {action}"
        yield Row(
            f"{action} {FILES} files of 10 KiB",
            f"{times[action]:.2f} s",
            f"mlflow {times[other]:.2f} s",
            times[other] / times[action],
            10,
        )


def _make(folder: Path) -> None:
    folder.mkdir()
    for index in range(FILES):
        (folder / f"part-{index:04}").write_bytes(os.urandom(BYTES))

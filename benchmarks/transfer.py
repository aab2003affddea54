"""Measures push and pull of one large file against what the machine itself needs for the same bytes, in the same run,
and against MLflow's server and client, which verify nothing.

The floors are plain Python: copy + sha256 + fsync of the file for a push, copy + sha256 for a pull. Times on a shared
machine are noisy, ratios within one run less so; each row shows the median of its rounds.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

import modelyard
from benchmarks import servers
from benchmarks.measure import Ballast, Peak, Times, timed
from benchmarks.report import Row

_CHUNK = 1 << 20


def copy_hash(source: Path, target: Path, *, sync: bool) -> None:
    """The floor: what any registry must do at least."""
    digest = hashlib.sha256()
    with source.open("rb") as reader, target.open("wb") as writer:
        while chunk := reader.read(_CHUNK):
            digest.update(chunk)
            writer.write(chunk)
        if sync:
            writer.flush()
            os.fsync(writer.fileno())
    target.unlink()


def hash_file(file: Path) -> None:
    with file.open("rb") as reader:
        hashlib.file_digest(reader, "sha256")


def make_file(path: Path, mib: int, *, tail: int) -> None:
    """``mib`` MiB and ``tail`` bytes that no store can dedupe, fast to make: one random block, counted up."""
    block = bytearray(os.urandom(_CHUNK))
    with path.open("wb") as file:
        for index in range(mib):
            block[:8] = index.to_bytes(8, "big")
            file.write(block)
        file.write(bytes(tail))


class Transfers:
    """One client, one server, a fresh file each round."""

    def __init__(self, folder: Path, url: str, mib: int, server_process: psutil.Process) -> None:
        self.times = Times()
        self.client_memory, self.server_memory = Peak(psutil.Process()), Peak(server_process)
        self._ballast = Ballast(folder / "ballast")
        self._folder = folder
        self._mib = mib
        self._client = modelyard.Client(url, cache_dir=folder / "cache")
        self._rounds = 0

    def _note(self, row: str, work: Callable[[], object]) -> None:
        self._ballast.settle()
        self.times.add(row, timed(work))

    def _transfer(self, row: str, work: Callable[[], object]) -> None:
        with self.client_memory.watched(), self.server_memory.watched():
            self._note(row, work)

    def round(self, peer: Callable[[str, Path], float] | None) -> None:
        self._rounds += 1
        model = self._folder / "model"
        model.mkdir(exist_ok=True)
        file, scratch = model / "weights.bin", self._folder / "copy"
        # Each round another size: a size that the registry has never seen is hashed while it is sent.
        make_file(file, self._mib, tail=self._rounds)
        self._note("floor push", lambda: copy_hash(file, scratch, sync=True))
        self._transfer("push new", lambda: self._push(model))
        self._note("floor hash", lambda: hash_file(file))
        self._transfer("push unchanged", lambda: self._push(model))
        make_file(file, self._mib, tail=self._rounds)
        self._transfer("push known size", lambda: self._push(model))
        self._note("floor pull", lambda: copy_hash(file, scratch, sync=False))
        self._transfer("pull", lambda: self._client.pull("bench/model@latest"))
        pinned = f"bench/model@{self._client.resolve('bench/model@latest').version.digest}"
        self.times.add("pull cached", timed(lambda: self._client.pull(pinned)))
        shutil.rmtree(self._folder / "cache")
        if peer is not None:
            for action, folder in (("push", model), ("pull", self._folder / "pulled")):
                folder.mkdir(exist_ok=True)
                self._ballast.settle()
                self.times.add(f"peer {action}", peer(action, folder))
            shutil.rmtree(self._folder / "pulled")

    def _push(self, model: Path) -> None:
        self._client.push("bench/model", model, capture=False)


def mlflow_transfer(url: str) -> Callable[[str, Path], float]:
    """MLflow's client in a process of its own; what it needs to start is not counted."""

    def transfer(action: str, folder: Path) -> float:
        command: list[str | Path] = [
            servers.PEER_BIN / "python",
            "benchmarks/mlflow_client.py",
            url,
            action,
            "bench",
            folder,
        ]
        environment = {**servers.PEER_ENVIRONMENT, "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
        done = subprocess.run(
            command, check=True, cwd=servers.ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        return float(done.stdout.split()[-1])

    return transfer


def run(mib: int = 1024, rounds: int = 5) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as name:
        folder = Path(name)
        with (
            servers.modelyard(folder / "data") as (url, process),
            servers.mlflow(folder / "mlflow") as (peer_url, _),
        ):
            transfers = Transfers(folder, url, mib, process)
            for _ in range(rounds):
                transfers.round(mlflow_transfer(peer_url))
            yield from _rows(transfers, mib)


def _rows(transfers: Transfers, mib: int) -> Iterator[Row]:
    times = transfers.times

    def row(name: str, ours: str, other: str, what: str, target: float) -> Row:
        speed = f"{mib / times[ours]:,.0f} MiB/s"
        return Row(name, speed, f"{what} {mib / times[other]:,.0f} MiB/s", times[other] / times[ours], target)

    yield row(f"push {mib} MiB, new", "push new", "floor push", "copy + sha256 + fsync", 0.8)
    yield row(f"push {mib} MiB, of a known size", "push known size", "floor push", "copy + sha256 + fsync", 0)
    yield row(f"push {mib} MiB, unchanged", "push unchanged", "floor hash", "sha256", 1 / 1.2)
    yield row(f"pull {mib} MiB, cold cache", "pull", "floor pull", "copy + sha256", 0.8)
    yield Row("pull of a cached version by digest", f"{times['pull cached'] * 1000:.1f} ms", "at most 5 ms")
    yield row(f"push {mib} MiB, new", "push new", "peer push", "mlflow", 2)
    yield row(f"pull {mib} MiB, cold cache", "pull", "peer pull", "mlflow", 2)
    server, client = (memory.grown >> 20 for memory in (transfers.server_memory, transfers.client_memory))
    yield Row(f"memory grown by {mib} MiB files, server", f"{server} MiB", "at most 100 MiB")
    yield Row(f"memory grown by {mib} MiB files, client", f"{client} MiB", "at most 100 MiB")

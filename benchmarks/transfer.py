"""Measures push and pull of one large file against what the machine itself needs for the same bytes, in the same run.

    python benchmarks/transfer.py [--mib 1024] [--rounds 5]

The floors are plain Python: copy + sha256 + fsync of the file for a push, copy + sha256 for a pull. Times on a shared
machine are noisy, ratios within one run less so; each row shows the median of its rounds.
"""

import argparse
import hashlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

import modelyard

_CHUNK = 1 << 20
_BIN = Path(sys.executable).parent


@contextmanager
def server(folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """A server on a free port; its URL and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    flags = ("--data-dir", folder, "--listen", address, "--admin-listen", "", "--log-level", "warning")
    process = subprocess.Popen([_BIN / "modelyard-server", "serve", *flags])
    try:
        probe_command = [str(_BIN / "modelyard-server"), "probe", "--address", address]
        while subprocess.run(probe_command, capture_output=True, check=False).returncode:
            if process.poll() is not None:
                raise SystemExit("the server did not start")
        yield f"grpc://{address}", psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


class Peak:
    """The most memory that a process had while something ran, beyond what it had when it was first looked at."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._base = process.memory_info().rss
        self.grown = 0

    @contextmanager
    def watched(self) -> Iterator[None]:
        done = threading.Event()

        def watch() -> None:
            while not done.wait(0.02):
                self.grown = max(self.grown, self._process.memory_info().rss - self._base)

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


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


def settle(mib: int) -> None:
    """Gives what comes next memory that is really there.

    A virtual machine may hand free memory back to its host; the first touch of a page then costs more than copying it,
    and whoever happens to get recycled pages looks three times as fast. Every timed step starts from the same state.
    """
    os.sync()
    # In a process of its own: this one's memory is being measured.
    touch = f"import mmap; m = mmap.mmap(-1, {mib << 20}); [m.__setitem__(o, 1) for o in range(0, len(m), 4096)]"
    subprocess.run([sys.executable, "-c", touch], check=True)


def hash_file(file: Path) -> None:
    with file.open("rb") as reader:
        hashlib.file_digest(reader, "sha256")


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def make_file(path: Path, mib: int, *, tail: int) -> None:
    """``mib`` MiB and ``tail`` bytes that no store can dedupe, fast to make: one random block, counted up."""
    block = bytearray(os.urandom(_CHUNK))
    with path.open("wb") as file:
        for index in range(mib):
            block[:8] = index.to_bytes(8, "big")
            file.write(block)
        file.write(bytes(tail))


class Transfer:
    """One client, one server, a fresh file each round."""

    def __init__(self, folder: Path, url: str, mib: int, server_process: psutil.Process) -> None:
        self._folder = folder
        self._mib = mib
        self._client = modelyard.Client(url, cache_dir=folder / "cache")
        self._rounds = 0
        self.client_memory, self.server_memory = Peak(psutil.Process()), Peak(server_process)
        self.times: dict[str, list[float]] = {}

    def _note(self, row: str, work: Callable[[], object]) -> None:
        settle(3 * self._mib)
        self.times.setdefault(row, []).append(timed(work))

    def _transfer(self, row: str, work: Callable[[], object]) -> None:
        with self.client_memory.watched(), self.server_memory.watched():
            self._note(row, work)

    def round(self) -> None:
        self._rounds += 1
        model = self._folder / "model"
        model.mkdir(exist_ok=True)
        file, scratch = model / "weights.bin", self._folder / "copy"
        # Each round another size: a size that the registry has never seen is hashed while it is sent.
        make_file(file, self._mib, tail=self._rounds)
        self._note("floor push: copy + sha256 + fsync", lambda: copy_hash(file, scratch, sync=True))
        self._transfer("push, new file", lambda: self._push(model))
        self._note("floor: sha256", lambda: hash_file(file))
        self._transfer("push, unchanged file", lambda: self._push(model))
        make_file(file, self._mib, tail=self._rounds)
        self._transfer("push, new file of a known size", lambda: self._push(model))
        self._note("floor pull: copy + sha256", lambda: copy_hash(file, scratch, sync=False))
        self._transfer("pull, cold cache", lambda: self._client.pull("bench/model@latest"))
        self._transfer("pull, cached, by alias", lambda: self._client.pull("bench/model@latest"))
        pinned = f"bench/model@{self._client.resolve('bench/model@latest').version.digest}"
        self._transfer("pull, cached, by digest", lambda: self._client.pull(pinned))
        shutil.rmtree(self._folder / "cache")

    def _push(self, model: Path) -> None:
        self._client.push("bench/model", model, capture=False)


def report(times: dict[str, list[float]], mib: int) -> None:
    medians = {row: statistics.median(values) for row, values in times.items()}
    floors = {
        "push, new file": "floor push: copy + sha256 + fsync",
        "push, new file of a known size": "floor push: copy + sha256 + fsync",
        "push, unchanged file": "floor: sha256",
        "pull, cold cache": "floor pull: copy + sha256",
    }
    print(f"{'':36} {'seconds':>9} {'MiB/s':>8}  of the floor's throughput")
    for row, seconds in medians.items():
        ratio = f"{medians[floors[row]] / seconds:.2f}x" if row in floors else ""
        print(f"{row:36} {seconds:9.4f} {mib / seconds:8.0f}  {ratio}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mib", type=int, default=1024, help="size of the file")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="modelyard-bench-") as folder,
        server(Path(folder) / "data") as (url, process),
    ):
        transfer = Transfer(Path(folder), url, arguments.mib, process)
        for _ in range(arguments.rounds):
            transfer.round()
    report(transfer.times, arguments.mib)
    grown = [memory.grown >> 20 for memory in (transfer.server_memory, transfer.client_memory)]
    print(f"memory grew by at most {grown[0]} MiB (server) and {grown[1]} MiB (client)")


if __name__ == "__main__":
    main()

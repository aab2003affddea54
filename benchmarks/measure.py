"""Clocks and memory, as fair as a noisy machine allows."""

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def settle(mib: int) -> None:
    """Gives what comes next memory that is really there.

    A virtual machine may hand free memory back to its host; the first touch of a page then costs more than copying it,
    and whoever happens to get recycled pages looks three times as fast. Every timed step starts from the same state.
    """
    os.sync()
    # In a process of its own: this one's memory is being measured.
    touch = f"import mmap; m = mmap.mmap(-1, {mib << 20}); [m.__setitem__(o, 1) for o in range(0, len(m), 4096)]"
    subprocess.run([sys.executable, "-c", touch], check=True)


class Times:
    """Seconds by row; the median speaks for a row."""

    def __init__(self) -> None:
        self._rows: dict[str, list[float]] = {}

    def add(self, row: str, seconds: float) -> None:
        self._rows.setdefault(row, []).append(seconds)

    def __getitem__(self, row: str) -> float:
        return statistics.median(self._rows[row])


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

"""Clocks and memory, as fair as a noisy machine allows."""

import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


class Ballast:
    """Fills free memory with page cache, as on a machine that has been up for a while.

    A virtual machine returns free memory to its host within seconds. Then the first use of a page costs more than a
    copy of it, and a program that gets recycled pages seems three times as fast. So all but 1 GiB is filled with the
    page cache of a sparse file. The system reuses those pages at once.
    """

    _FREE = 1 << 30

    def __init__(self, file: Path) -> None:
        self._file = file

    def settle(self) -> None:
        os.sync()
        excess = psutil.virtual_memory().free - self._FREE
        if excess <= 0:
            return
        buffer = bytearray(1 << 20)
        with self._file.open("ab") as file:
            start = file.tell()
            file.truncate(start + excess)
        with self._file.open("rb", buffering=0) as file:
            file.seek(start)
            while file.readinto(buffer):
                pass


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

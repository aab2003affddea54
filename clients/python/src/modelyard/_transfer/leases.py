"""Whether the process that made a file still lives, where locks of the file system can't be relied on.

A lease is a small file that names its process. On the same machine the process itself is looked for. For a process of
another machine, or of another container, only time tells: it touches its lease as it gets on.
"""

import json
import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

STALE: Final = 3600.0
"""Seconds without a touch after which a process elsewhere is taken for dead. Transfers that stand still end in one
minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The process that a lease names."""

    pid: int
    """On its machine, and in its container."""
    program: str
    """The name of its file, as ``serve.py``."""
    machine: str
    """The host name. Each container has its own."""

    def describe(self) -> str:
        """As ``serve.py (pid 42)``, with the machine if it is another one."""
        elsewhere = "" if self.machine == os.uname().nodename else f" on {self.machine}"
        return f"{self.program} (pid {self.pid}{elsewhere})"


def write(lease: Path) -> None:
    """Makes a lease of this process."""
    told = {
        "where": _here(),
        "pid": os.getpid(),
        "started": _started(os.getpid()),
        "program": _program(),
        "machine": os.uname().nodename,
    }
    lease.write_text(json.dumps(told))


def holder(lease: Path) -> Holder | None:
    """The process that wrote a lease; None if the lease can't be read."""
    try:
        told = json.loads(lease.read_bytes())
        return Holder(pid=int(told["pid"]), program=str(told["program"]), machine=str(told["machine"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def touch(lease: Path) -> None:
    with suppress(OSError):
        os.utime(lease, follow_symlinks=False)


def is_alive(lease: Path, *, made: Path, stale: float = STALE) -> bool:
    """Whether the process of a lease may still live. ``made`` is what it is about: a process makes that first.

    A process elsewhere is taken for dead ``stale`` seconds after it touched the lease.
    """
    try:
        told = json.loads(lease.read_bytes())
        where, pid, started = told["where"], int(told["pid"]), told["started"]
    except FileNotFoundError:
        return _is_young(made, stale)
    except (OSError, ValueError, TypeError, KeyError):
        return _is_young(lease, stale)
    if where == _here():
        return _lives(pid) and _started(pid) == started
    return _is_young(lease, stale)


def _is_young(path: Path, stale: float) -> bool:
    try:
        return time.time() - path.lstat().st_mtime < stale
    except OSError:
        return False


@cache
def _here() -> str:
    """Where a process id means something: this boot of this machine, and this container."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return os.uname().nodename


def _program() -> str:
    given = sys.argv[0] if sys.argv else ""
    return Path(given if given not in {"", "-c", "-m"} else sys.executable).name


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _started(pid: int) -> str:
    """When a process started, in ticks of the machine: ids are used again."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""

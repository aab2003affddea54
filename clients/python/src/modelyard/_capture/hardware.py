"""The machine, as far as this process may use it. Nothing is imported and no driver is woken to find out."""

import os
import platform
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from modelyard._capture.budget import Budget, OncePerProcess
from modelyard._capture.text import clean

_CGROUPS: Final = Path("/sys/fs/cgroup")
_OWN_CGROUPS: Final = Path("/proc/self/cgroup")
_NVIDIA: Final = Path("/proc/driver/nvidia/gpus")


def hardware(budget: Budget) -> dict[str, str]:
    """``cpu``, ``cpu_count``, ``memory_bytes``, ``accelerators`` and ``host``, those that are known."""
    facts = {**_MACHINE.get(budget), "accelerators": _accelerators()}
    return {name: clean(value) for name, value in facts.items() if value}


def _find_machine(_: Budget) -> Mapping[str, str]:
    return {"cpu": _cpu(), "cpu_count": cpu_count(), "memory_bytes": _memory(), "host": platform.node()}


_MACHINE: Final = OncePerProcess(_find_machine)


def _cpu() -> str:
    with suppress(OSError), Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return os.environ.get("PROCESSOR_IDENTIFIER", "") or platform.machine()


def cpu_count() -> str:
    """How many processors this process may keep busy, as ``4`` or ``1.5``; empty if that is not to be known."""
    usable = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0)
    for folder in _cgroup_folders("cpu"):
        for quota, period in (_cpu_v2(folder), _cpu_v1(folder)):
            if quota.isdigit() and period.isdigit() and int(quota) and int(period):
                usable = min(usable, int(quota) / int(period))
    return f"{usable:g}" if usable else ""


def _cpu_v2(folder: Path) -> tuple[str, str]:
    quota, _, period = _read(folder / "cpu.max").partition(" ")  # "max 100000" without a limit
    return quota, period


def _cpu_v1(folder: Path) -> tuple[str, str]:
    return _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")  # -1 without a limit


def _memory() -> str:
    known = []
    if hasattr(os, "sysconf") and {"SC_PHYS_PAGES", "SC_PAGE_SIZE"} <= set(os.sysconf_names):
        known.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for folder in _cgroup_folders("memory"):
        limits = _read(folder / "memory.max"), _read(folder / "memory.limit_in_bytes")
        known.extend(int(limit) for limit in limits if limit.isdigit())
    return str(min(known)) if known else ""


def _cgroup_folders(controller: str) -> Iterator[Path]:
    """The control groups that bind this process, from its own up to the root; of either version of the interface."""
    for line in _read(_OWN_CGROUPS).splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        root = _CGROUPS / controllers if controllers else _CGROUPS
        # In a container the path may be the host's, of which only the root is to be seen here: the rest is not there.
        own = root / group.lstrip("/")
        yield own
        yield from (parent for parent in own.parents if parent.is_relative_to(root))


def _accelerators() -> str:
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return _counted(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))
    return _counted(
        line.partition(":")[2].strip()
        for information in sorted(_NVIDIA.glob("*/information"))
        for line in _read(information).splitlines()
        if line.startswith("Model:")
    )


def _counted(names: Iterator[str]) -> str:
    return ", ".join(f"{count} x {name}" for name, count in Counter(names).items())


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""

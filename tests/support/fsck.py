"""The check of a registry: the command as its operator runs it, or only what it does."""

import asyncio
import json
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from modelyard_server import offline
from modelyard_server.app import CAPABILITIES, offers_of
from modelyard_server.capability import Capability
from modelyard_server.checking.report import Report
from modelyard_server.config import Settings
from modelyard_server.db.inspection import Inspector
from modelyard_server.upkeep import printing
from modelyard_server.upkeep.fsck import ConsistencyCheck
from tests.support.children import run_server
from tests.support.registry import RunningRegistry
from tests.support.server import ServerProcess


def run_fsck(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """``modelyard-server fsck``, to its end."""
    return run_server("fsck", *arguments)


async def check(data_dir: Path, database_url: str | None = None, *, read_data: bool = True) -> Report:
    """The report on a data directory and, unless the database is in it, a PostgreSQL database."""
    values: dict[str, Any] = {"data_dir": data_dir, "database_url": database_url}
    return await offline.check(Settings(**values), read_data=read_data, progress=lambda _what, _done: None)


def fsck_of(data_dir: Path, database_url: str | None = None, *, read_data: bool = False) -> Any:
    """The report as the command prints it, made in this process, which may be in the middle of a test's loop."""

    def work() -> Report:
        return asyncio.run(check(data_dir, database_url, read_data=read_data))

    with ThreadPoolExecutor(1) as thread:
        return json.loads(printing.as_json(thread.submit(work).result()))


def fsck(server: ServerProcess, *, read_data: bool = False) -> Any:
    """The report on a server's data, whether it runs or not."""
    return fsck_of(server.folder / "data", database_url_of(server), read_data=read_data)


def database_url_of(server: ServerProcess) -> str | None:
    """None if the database is in the data directory."""
    flag = "--database-url"
    return server.flags[server.flags.index(flag) + 1] if flag in server.flags else None


def assert_clean(server: ServerProcess, *, read_data: bool = False) -> None:
    report = fsck(server, read_data=read_data)
    assert report["clean"], json.dumps(report["faults"], indent=2)


async def check_running(yard: RunningRegistry, capabilities: Sequence[Capability] = CAPABILITIES) -> Report:
    """The report on a registry of this process, bytes included."""
    checks = [check for capability in capabilities for check in capability.checks]
    rows, offers = Inspector(yard.database), offers_of(capabilities)
    return await ConsistencyCheck(checks, rows, yard.store, offers, yard.clock).run(read_data=True)

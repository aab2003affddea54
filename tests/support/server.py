"""A server in a process of its own, as a user starts it."""

import os
import signal
from contextlib import suppress
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.support import templates
from tests.support.children import BIN, PATIENCE, SERVER, Child, clean_environment, spawn
from tests.support.postgres import free_port

__all__ = ["BIN", "ServerProcess", "clean_environment"]

# The port is closed until the server listens. By default gRPC then waits for a second before it tries again.
# A connection of its own: a shared one may still lead to the process that was here before.
_TRY_OFTEN = [
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 100),
    ("grpc.use_local_subchannel_pool", 1),
]


class ServerProcess:
    """``modelyard-server serve`` on a free port. Its data stays over restarts."""

    entry: str | None = SERVER
    """What its process runs, as a fork of the launcher. None executes the installed command."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.flags = flags
        self.log = folder / "server.log"
        self._process: Child | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"grpc://{self.address}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def command(self) -> list[str]:
        paths = ["--data-dir", str(self.folder / "data"), "--listen", self.address]
        admin = [] if "--admin-listen" in self.flags else ["--admin-listen", ""]
        # No balancer needs time to look elsewhere.
        delay = [] if "--drain-delay" in self.flags else ["--drain-delay", "0"]
        return [str(BIN / "modelyard-server"), "serve", *paths, *admin, *delay, *self.flags]

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, *, wait: bool = True, failpoints: str = "", fresh: bool = False) -> "ServerProcess":
        """Starts it.

        Args:
            wait: For it to serve, in plaintext.
            failpoints: Armed for this start.
            fresh: The first start makes the data directory and migrates the embedded database. By default it finds a
                copy of a migrated one.
        """
        if not fresh and "--database-url" not in self.flags:
            templates.sqlite_into(self.folder / "data")
        command, environment = self.command(), clean_environment()
        if failpoints:
            command.append("--development")
            environment["MODELYARD_FAILPOINTS"] = failpoints
        with self.log.open("ab") as log:
            self._process = spawn(command, entry=self.entry, stdout=log.fileno(), stderr=log.fileno(), env=environment)
        if wait:
            self.await_health()
        return self

    def await_health(self, *, may_die: bool = False) -> None:
        """Waits for it to serve. With ``may_die``, for that or the next process that is started for it."""
        with grpc.insecure_channel(self.address, options=_TRY_OFTEN) as channel:
            check = health_pb2_grpc.HealthStub(channel).Check
            answering = check.future(health_pb2.HealthCheckRequest(), timeout=PATIENCE, wait_for_ready=True)
            while not answering.done():
                assert may_die or self.running, self.log.read_text()
                with suppress(grpc.FutureTimeoutError):
                    answering.exception(timeout=0.2)
            died = may_die and answering.code() is grpc.StatusCode.UNAVAILABLE
            assert died or answering.result().status == health_pb2.HealthCheckResponse.SERVING, self.log.read_text()
        if died:  # in the middle of the call
            self.await_health(may_die=True)

    def wait(self) -> int:
        """Waits for its end; its exit code."""
        assert self._process is not None
        code = self._process.wait()
        self._process = None
        return code

    def send_signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Signals the server and waits; its exit code."""
        self.send_signal(number)
        return self.wait()

    def freeze(self) -> None:
        """Takes it off the processors: on its own it takes no further step, and answers nobody. Then :meth:`kill` it.

        Its threads are not waited for where they are inside the system: they may still be in the middle of an fsync, of
        which they never learn how it ended. On Linux.
        """
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        # The first thread to stop (T) has told all of them: from then on those that wait for a device (D) stop on their
        # way back from there.
        while "T" not in self._states():
            os.sched_yield()
        while not self._states() <= {"T", "D"}:
            os.sched_yield()

    def _states(self) -> set[str]:
        """What its threads are doing, in the letters of proc(5)."""
        assert self.running, self.log.read_text()
        states = set()
        for thread in Path(f"/proc/{self.pid}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
                states.add((thread / "stat").read_text().rpartition(")")[2].split()[0])
        return states

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def close(self) -> None:
        if self._process is not None:
            self.kill()

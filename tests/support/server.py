"""A server in a process of its own, as a user starts it."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.support.postgres import free_port

BIN = Path(sys.executable).parent


class ServerProcess:
    """``modelyard-server serve`` on a free port. Its data stays over restarts."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.flags = flags
        self.log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

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

    def start(self, *, wait: bool = True, failpoints: str = "") -> "ServerProcess":
        """Starts it; ``wait`` for it to serve, in plaintext. ``failpoints`` are armed for this start."""
        command, environment = self.command(), clean_environment()
        if failpoints:
            command.append("--development")
            environment["MODELYARD_FAILPOINTS"] = failpoints
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        if not wait:
            return self
        with grpc.insecure_channel(self.address) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            answer = health.Check(health_pb2.HealthCheckRequest(), timeout=60, wait_for_ready=True)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING, self.log.read_text()
        return self

    def wait(self, seconds: float = 40) -> int:
        """Waits for its end; its exit code."""
        assert self._process is not None
        code = self._process.wait(seconds)
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


def clean_environment() -> dict[str, str]:
    """Ours, without what would make a test depend on who runs it."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MODELYARD")}

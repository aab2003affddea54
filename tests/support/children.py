"""Processes that tests start, and that do not outlive the test runner; see :mod:`tests.support.launcher`."""

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final
from uuid import uuid4

from tests.support.launcher import HEADER

ROOT: Final = Path(__file__).parents[2]
BIN: Final = Path(sys.executable).parent
SERVER: Final = "modelyard_server.cli:main"
"""The entry point of `modelyard-server`."""
PATIENCE: Final = 100.0
"""Seconds: how long tests wait for what must come, on a machine however busy."""

_RUN: Final = """
import sys
from tests.support.launcher import main
del sys.path[0]
sys.exit(main(int(sys.argv[1]), sys.argv[2]))
"""
# As it was before any test changed it.
_ENVIRONMENT: Final = dict(os.environ)
_VARIABLE: Final = "TEST_RUNNER"
# All that this runner starts has it, unless a test gives it another environment.
os.environ[_VARIABLE] = str(uuid4())


class Child:
    """A running process. May be used from any thread."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._lock = threading.Lock()
        self._code: int | None = None
        self.pid = self._number()

    def _number(self) -> int:
        """The next number the launcher sends: first the pid, then the exit code."""
        data = b""
        while not data.endswith(b"\n"):
            more = self._line.recv(1)
            if not more:
                self._line.close()
                raise ChildProcessError("the launcher of test processes is gone")
            data += more
        return int(data)

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        with self._lock:
            if self._code is None and _readable(self._line, 0):
                self._code = self._number()
                self._line.close()
            return self._code

    def wait(self, seconds: float = PATIENCE) -> int:
        """Waits for its end; its exit code. ``TimeoutError`` if it runs for longer."""
        end = time.monotonic() + seconds
        while (code := self.poll()) is None:
            if not _readable(self._line, end - time.monotonic()):
                raise TimeoutError(f"process {self.pid} runs on after {seconds} s")
        return code

    def send_signal(self, number: int) -> None:
        """Does nothing if the process has ended."""
        with self._lock:
            if self._code is None:
                self._line.sendall(bytes([number]))

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _readable(line: socket.socket, seconds: float) -> bool:
    try:
        waiting = select.poll()
        waiting.register(line, select.POLLIN)
    except ValueError:  # another thread has read the exit code and closed it
        return True
    return bool(waiting.poll(max(0.0, seconds) * 1000))


class Launcher:
    """The runner's end of a launcher, which starts with the first child."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Does so without a child, for those that a test starts by itself."""
        with self._lock:
            self._started()

    def _started(self) -> socket.socket:
        if self._control is None:
            self._control, theirs = socket.socketpair()
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-c", _RUN, str(theirs.fileno()), f"{_VARIABLE}={os.environ[_VARIABLE]}"],
                    cwd=ROOT,
                    env=_ENVIRONMENT,
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    # Ctrl-C is for the runner, whose fixtures end the children in their order.
                    start_new_session=True,
                )
                atexit.register(self._close)
        return self._control

    def _close(self) -> None:
        assert self._control is not None
        assert self._process is not None
        self._control.close()
        self._process.wait()

    def spawn(
        self,
        command: Sequence[str | Path],
        *,
        entry: str | None = None,
        stdout: int,
        stderr: int,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: int | None = None,
        last_signal: int = signal.SIGKILL,
        folder: Path | None = None,
    ) -> Child:
        """Starts ``command`` as a process of its own.

        Args:
            command: What it finds in ``sys.argv``, or the program to execute and its arguments.
            entry: ``module:function`` that a fork of the launcher calls. None executes the program.
            stdout: A descriptor.
            stderr: A descriptor.
            env: Its whole environment; this process's own by default.
            cwd: Where it runs; this process's own folder by default.
            user: Whose rights it has.
            last_signal: What it gets when the runner dies.
            folder: What is removed after it has ended because the runner died.
        """
        request = {
            "argv": [str(part) for part in command],
            "entry": entry,
            "env": dict(os.environ if env is None else env),
            "cwd": str(cwd or Path.cwd()),
            "user": user,
            "last_signal": int(last_signal),
            "folder": None if folder is None else str(folder),
        }
        body = json.dumps(request).encode()
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            control = self._started()
            socket.send_fds(control, [HEADER.pack(len(body))], [theirs.fileno(), stdout, stderr])
            control.sendall(body)
        return Child(ours)


launcher: Final = Launcher()
"""Of this test runner."""
spawn: Final = launcher.spawn


def run_server(*arguments: str | Path, env: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """``modelyard-server`` with these arguments, to its end."""
    command = [BIN / "modelyard-server", *arguments]
    with TemporaryFile() as out, TemporaryFile() as errors:
        environment = clean_environment() if env is None else env
        child = spawn(command, entry=SERVER, stdout=out.fileno(), stderr=errors.fileno(), env=environment)
        code = child.wait()
        texts = [os.pread(file.fileno(), 1 << 24, 0).decode() for file in (out, errors)]
    return subprocess.CompletedProcess(command, code, *texts)


def clean_environment() -> dict[str, str]:
    """Ours, without what would make a test depend on who runs it."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MODELYARD")}


def runner_mark() -> dict[str, str]:
    """The variable that what this runner starts has in its environment, so that it ends with the runner."""
    return {_VARIABLE: os.environ[_VARIABLE]}

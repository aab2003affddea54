"""The process that starts a test runner's children, and ends them when the runner dies.

It has imported the server and the command line, so each of these is a fork of it and need not import for two seconds.
Such a child is a process like any other: it has its own pid, log and environment, runs the command's own entry point,
and can be killed. Anything else is executed as usual.

The runner keeps one socket to the launcher, and one for each child. The kernel closes them when the runner dies. The
launcher then ends the child, and removes its folder. If the launcher itself dies, the kernel ends its children (on
Linux). What the runner has started by itself carries the runner's mark in its environment, and is ended last.

Nothing here may start a thread or use gRPC before a fork: importing gRPC is safe, using it is not.
"""

import ctypes
import gc
import json
import os
import selectors
import shutil
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

HEADER: Final = struct.Struct(">I")
"""The length of a request, which is JSON. Three descriptors come with it: the child's socket, output and errors."""
DESCRIPTORS: Final = 3
IMPORTED: Final = (
    "modelyard._sync",
    "modelyard.cli.app",
    "modelyard_server.cli",
    "modelyard_server.db.engines.postgresql",
    "modelyard_server.db.engines.sqlite",
)

_PARENT_DEATH_SIGNAL: Final = 1
_LAST_PATIENCE: Final = 20.0
"""Seconds an orphan has to end by itself."""


@dataclass
class _Child:
    pid: int
    runner: socket.socket
    last_signal: int
    folder: str | None
    orphaned: float | None = None
    """When the runner died."""


class Launcher:
    """Runs in one thread. :meth:`serve` returns twice for each fork: in the child, what the child has to run."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._children: dict[int, _Child] = {}
        self._runner_lives = True
        self._wakeup, wake = socket.socketpair()
        self._wakeup.setblocking(False)
        wake.setblocking(False)
        self._wake = wake
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ, self._launch)
        self._selector.register(self._wakeup, selectors.EVENT_READ, self._woken)

    def serve(self) -> Callable[[], object] | None:
        """None if the runner is gone and so are all children."""
        while self._runner_lives or self._children:
            for key, _ in self._selector.select(1.0):
                work = key.data()
                if work is not None:
                    return work  # type: ignore[no-any-return]  # selectors know nothing of their data
            self._reap()
            self._end_orphans()
        return None

    def _woken(self) -> None:
        with suppress(BlockingIOError):
            self._wakeup.recv(4096)

    def _launch(self) -> Callable[[], object] | None:
        head, descriptors, _, _ = socket.recv_fds(self._control, HEADER.size, DESCRIPTORS)
        if not head:
            self._runner_lives = False
            self._selector.unregister(self._control)
            return None
        (size,) = HEADER.unpack(head)
        body = b""
        while len(body) < size:
            body += self._control.recv(size - len(body))
        request = json.loads(body)
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._close()
            os.close(descriptors[0])
            return lambda: _become(request, descriptors[1:], parent)
        runner = socket.socket(fileno=descriptors[0])
        for descriptor in descriptors[1:]:
            os.close(descriptor)
        child = _Child(pid, runner, request["last_signal"], request["folder"])
        self._children[pid] = child
        self._selector.register(runner, selectors.EVENT_READ, lambda: self._told(child))
        _say(runner, pid)
        return None

    def _close(self) -> None:
        """In a child: or these would be closed later, when their numbers are descriptors of the child's own."""
        signal.set_wakeup_fd(-1)
        self._selector.close()
        for end in (self._control, self._wakeup, self._wake, *(child.runner for child in self._children.values())):
            end.close()

    def _told(self, child: _Child) -> None:
        """The runner wants a signal sent, or is gone."""
        try:
            numbers = child.runner.recv(64)
        except ConnectionError:
            numbers = b""
        for number in numbers:
            os.kill(child.pid, number)  # not reaped yet, so the pid is its own
        if not numbers:
            self._selector.unregister(child.runner)
            child.orphaned = time.monotonic()
            os.kill(child.pid, child.last_signal)

    def _reap(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            child = self._children.pop(pid)
            if child.orphaned is None:
                self._selector.unregister(child.runner)
                _say(child.runner, os.waitstatus_to_exitcode(status))
            elif child.folder is not None:
                shutil.rmtree(child.folder, ignore_errors=True)
            child.runner.close()

    def _end_orphans(self) -> None:
        for child in self._children.values():
            if child.orphaned is not None and time.monotonic() - child.orphaned > _LAST_PATIENCE:
                os.kill(child.pid, signal.SIGKILL)


def _say(runner: socket.socket, number: int) -> None:
    """Nobody listens if the runner has just died, which is noticed when this socket is read."""
    with suppress(ConnectionError):
        runner.sendall(f"{number}\n".encode())


def _become(request: dict[str, Any], output: list[int], parent: int) -> object:
    """Turns a fork of the launcher into what was asked for."""
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for target, source in enumerate(output, 1):
        os.dup2(source, target)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    if request["user"] is not None:
        os.setgroups([])
        os.setgid(request["user"])
        os.setuid(request["user"])
    die_with(parent, request["last_signal"])
    os.chdir(request["cwd"])
    if request["entry"] is None:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.execve(request["argv"][0], request["argv"], request["env"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = request["argv"]
    module, _, function = request["entry"].partition(":")
    return getattr(import_module(module), function)()


def die_with(parent: int, number: int) -> None:
    """Has the kernel send this process a signal when its parent ends (on Linux)."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PARENT_DEATH_SIGNAL, number)
    if os.getppid() != parent:
        os._exit(1)


def _end_marked(mark: str) -> None:
    """Ends all processes that were started with ``mark`` in their environment (on Linux)."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is not ours
            if mark.encode() in (process / "environ").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)


def main(descriptor: int, mark: str) -> object:
    """Serves the runner at the other end of ``descriptor``; in a forked child, runs what the child is for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    control = socket.socket(fileno=descriptor)
    for name in IMPORTED:
        import_module(name)
    gc.collect()
    gc.freeze()  # or the first collection of each child would copy all that is imported
    work = Launcher(control).serve()
    if work is None:
        _end_marked(mark)
        return None
    # The launcher's frames are behind us: in a child, only its own work remains, and then Python's usual end.
    return work()

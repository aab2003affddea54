"""The progress bar of a push and a pull: on a terminal or in a notebook, and gone at the end."""

import io
import os
import pty
import subprocess
import sys
import types
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.support.server import ServerProcess, clean_environment

from modelyard import AsyncClient, Client, InvalidArgumentError, Progress
from modelyard._bar import Bar, reporting

SYNC = """
import modelyard, sys
modelyard.push("team/fraud", sys.argv[1], capture=False{progress})
modelyard.pull("team/fraud@latest"{progress})
"""
ASYNC = """
import asyncio, modelyard, sys
async def main():
    async with modelyard.AsyncClient() as yard:
        await yard.push("team/fraud", sys.argv[1], capture=False{progress})
        await yard.pull("team/fraud@latest"{progress})
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("server")).start()
    yield process
    process.close()


class Shown:
    """Runs a program with a terminal as its standard error, and returns the bytes that it wrote there."""

    def __init__(self, server: ServerProcess, folder: Path) -> None:
        self._folder = folder
        self._environment = clean_environment() | {
            "MODELYARD_URL": server.url,
            "MODELYARD_CACHE_DIR": str(folder / "cache"),
        }
        (folder / "out").mkdir()
        (folder / "out" / "model.bin").write_bytes(os.urandom(3_000_000))

    def command(self, program: str) -> list[str]:
        return [sys.executable, "-c", program, str(self._folder / "out")]

    def on_a_terminal(self, program: str) -> str:
        ours, theirs = pty.openpty()
        with subprocess.Popen(self.command(program), stderr=theirs, env=self._environment, cwd=self._folder) as child:
            os.close(theirs)
            shown = b""
            while chunk := _read(ours):
                shown += chunk
        os.close(ours)
        assert child.returncode == 0, shown
        return shown.decode()

    def in_a_pipe(self, program: str) -> str:
        done = subprocess.run(
            self.command(program), check=True, capture_output=True, text=True, env=self._environment, cwd=self._folder
        )
        return done.stderr


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux tells that the other end is closed
        return b""


@pytest.fixture
def shown(server: ServerProcess, tmp_path: Path) -> Shown:
    return Shown(server, tmp_path)


@pytest.mark.parametrize("program", [SYNC, ASYNC], ids=["sync", "async"])
class TestWhoSeesIt:
    def test_a_terminal_shows_it_and_is_clean_afterwards(self, shown: Shown, program: str) -> None:
        seen = shown.on_a_terminal(program.format(progress=""))
        assert "\rupload    100%" in seen
        assert "\rdownload  100%" in seen
        assert seen.endswith(" \r")
        assert "\n" not in seen

    def test_a_pipe_gets_none(self, shown: Shown, program: str) -> None:
        assert shown.in_a_pipe(program.format(progress="")) == ""

    def test_who_wants_none_gets_none(self, shown: Shown, program: str) -> None:
        assert shown.on_a_terminal(program.format(progress=", progress=False")) == ""


def test_a_notebook_shows_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    kernel = type("ZMQInteractiveShell", (), {})()
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: kernel))
    with reporting(progress=True) as callback:
        assert callback is not None
        callback(Progress(phase="upload", path="a", done=1, total=4))
    assert "upload     25%  [#####...............]  1 byte of 4 bytes" in capsys.readouterr().err


def test_it_tells_the_part_the_amount_and_the_speed() -> None:
    out = io.StringIO()
    seconds = count()
    bar = Bar(out, clock=lambda: float(next(seconds)))
    for done in (0, 500_000_000, 1_500_000_000):
        bar.show(Progress(phase="download", path="\x1b[31mevil", done=done, total=1_500_000_000))
    lines = [line.rstrip() for line in out.getvalue().split("\r")[1:]]
    assert lines == [
        f"download    0%  [{'.' * 20}]  0 bytes of 1.5 GB",
        f"download   33%  [{'#' * 7}{'.' * 13}]  500.0 MB of 1.5 GB  250.0 MB/s",
        f"download  100%  [{'#' * 20}]  1.5 GB of 1.5 GB  500.0 MB/s",
    ]


def test_a_terminal_that_is_gone_ends_no_transfer() -> None:
    out = io.StringIO()
    bar = Bar(out)
    out.close()
    bar.show(Progress(phase="upload", path="a", done=0, total=0))
    bar.close()


class Strange(io.StringIO):
    """Objects that programs put in the place of standard error, each with another fault."""

    def __init__(self, **faulty: object) -> None:
        super().__init__()
        self.written = 0
        self._faulty = faulty

    def __getattribute__(self, name: str) -> object:
        faulty = super().__getattribute__("__dict__").get("_faulty", {})
        if name not in faulty:
            return super().__getattribute__(name)
        if name == "write":
            self.written += 1
        if isinstance(faulty[name], type):
            raise faulty[name](name)
        return faulty[name]


@pytest.mark.parametrize(
    "stream",
    [Strange(isatty=OSError), Strange(isatty=RuntimeError), Strange(isatty=AttributeError), object()],
    ids=["OSError", "RuntimeError", "no isatty", "nothing of a stream"],
)
def test_a_stream_that_cannot_say_what_it_is_gets_none(monkeypatch: pytest.MonkeyPatch, stream: object) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    with reporting(progress=True) as callback:
        assert callback is None


@pytest.mark.parametrize(
    "faulty",
    [{"write": RuntimeError}, {"write": AttributeError}, {"flush": None}, {"fileno": RuntimeError, "write": OSError}],
    ids=["write raises", "no write", "no flush", "nothing works"],
)
def test_a_stream_that_breaks_ends_the_bar_and_no_transfer(
    monkeypatch: pytest.MonkeyPatch, faulty: dict[str, object]
) -> None:
    stream = Strange(isatty=lambda: True, **faulty)
    monkeypatch.setattr(sys, "stderr", stream)

    with reporting(progress=True) as callback:
        assert callback is not None
        for done in range(3):
            callback(Progress(phase="upload", path="a", done=done, total=3))

    assert stream.written <= 1, "it is not tried again"
    assert stream.getvalue().count("\r") <= 1


@pytest.mark.parametrize("progress", [1, "yes", 0])
class TestWhatIsNoProgress:
    """Nothing listens at the address, so a request would end in another error."""

    async def test_is_refused_by_the_asynchronous_client(self, tmp_path: Path, progress: object) -> None:
        (tmp_path / "weights").write_bytes(b"weights")
        wrong: dict[str, Any] = {"progress": progress}
        async with AsyncClient("grpc://127.0.0.1:1", cache_dir=tmp_path / "cache") as yard:
            with pytest.raises(InvalidArgumentError, match=r"progress: is .* Use True, False, or a function"):
                await yard.push("team/fraud", tmp_path / "weights", capture=False, **wrong)
            with pytest.raises(InvalidArgumentError, match=r"progress: is .* Use True, False, or a function"):
                await yard.pull("team/fraud@7", **wrong)
            with pytest.raises(InvalidArgumentError, match=r"progress: is .* Use True, False, or a function"):
                yard.watch("team/fraud@production", **wrong)

    def test_is_refused_by_the_synchronous_one(self, tmp_path: Path, progress: object) -> None:
        wrong: dict[str, Any] = {"progress": progress}
        with (
            Client("grpc://127.0.0.1:1", cache_dir=tmp_path / "cache") as yard,
            pytest.raises(InvalidArgumentError, match=r"progress: is .* Use True, False, or a function"),
        ):
            yard.pull("team/fraud@7", **wrong)

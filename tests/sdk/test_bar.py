"""The progress bar of a push and a pull: there where somebody may look at it, and gone at the end."""

import io
import os
import pty
import subprocess
import sys
import types
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from tests.support.server import ServerProcess, clean_environment

from modelyard import Progress
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
    """What a program writes to a terminal on its standard error."""

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

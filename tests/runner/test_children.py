"""What a test run starts ends with it: nothing is left on the machine, however the runner dies."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.support.children import ROOT, Launcher, run_server, spawn
from tests.support.waiting import until

_TEST = Path(__file__).with_name("in_the_middle.py")


def _lives(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


class _Run:
    """A run of pytest in the middle of a test."""

    def __init__(self, folder: Path, workers: int) -> None:
        self._told = folder / "told"
        self._log = folder / "run.log"
        flags = ("-n", str(workers), "-p", "no:cacheprovider", f"--basetemp={folder / 'temp'}")
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pytest", *flags, _TEST],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                env={**os.environ, "TOLD": str(self._told)},
            )

    async def started(self) -> tuple[int, list[int], Path]:
        """Waits until the test has started everything: the pid of its worker, those of its children, and the folder of
        its PostgreSQL.
        """
        await until(lambda: self._has_ended() or (self._told.exists() and self._told.read_text().endswith("\n")))
        assert not self._has_ended(), self._log.read_text()
        *pids, folder = self._told.read_text().split()
        return int(pids[0]), [int(pid) for pid in pids[1:]], Path(folder)

    def _has_ended(self) -> bool:
        return self.process.poll() is not None

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[_Run]:
    running = _Run(tmp_path, request.param)
    yield running
    running.close()


@pytest.mark.parametrize(
    ("run", "victim"),
    [
        pytest.param(0, "runner", id="a runner without workers"),
        pytest.param(1, "runner", id="the runner of a worker"),
        pytest.param(1, "worker", id="a worker"),
    ],
    indirect=["run"],
)
async def test_servers_and_databases_end_when_the_runner_is_killed(run: _Run, victim: str) -> None:
    worker, children, folder = await run.started()
    assert all(map(_lives, children))

    os.kill(run.process.pid if victim == "runner" else worker, signal.SIGKILL)

    await until(lambda: not any(map(_lives, children)))
    await until(lambda: not folder.exists())


async def test_children_end_when_the_launcher_is_killed() -> None:
    child = Launcher().spawn(["/bin/sleep", "1000"], stdout=1, stderr=2)
    launcher = psutil.Process(child.pid).parent()
    assert launcher is not None

    launcher.kill()

    with pytest.raises(ChildProcessError, match="launcher"):
        child.wait()
    await until(lambda: not _lives(child.pid))


def test_a_child_tells_its_exit_code(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as out:
        assert spawn(["/bin/sh", "-c", "exit 3"], stdout=out.fileno(), stderr=out.fileno()).wait() == 3
        sleeping = spawn(["/bin/sleep", "1000"], stdout=out.fileno(), stderr=out.fileno())
        assert sleeping.poll() is None
        sleeping.kill()
        assert sleeping.wait() == -signal.SIGKILL
        sleeping.kill()  # it is gone: nothing to do


def test_a_forked_command_says_what_the_installed_one_says() -> None:
    installed = subprocess.run(
        [Path(sys.executable).with_name("modelyard-server"), "fsck", "--no-such-flag"],
        check=False,
        capture_output=True,
        text=True,
    )

    forked = run_server("fsck", "--no-such-flag")

    assert forked.returncode == installed.returncode == 2
    assert (forked.stdout, forked.stderr) == (installed.stdout, installed.stderr)


def test_a_forked_command_has_no_descriptors_of_the_launcher(tmp_path: Path) -> None:
    code = "import os; print(os.listdir('/proc/self/fd'))"
    with (tmp_path / "out").open("wb") as out:
        spawn([sys.executable, "-c", code], stdout=out.fileno(), stderr=out.fileno()).wait()

    assert (tmp_path / "out").read_text().strip() == "['0', '1', '2', '3']"  # the last one is the listing's own

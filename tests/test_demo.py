"""What ``make demo`` promises: it shows a whole life of a model, says so in plain words, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

DEMO = Path(__file__).parents[1] / "examples" / "demo.py"
SECONDS = 300


@contextmanager
def demo(folder: Path, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """The demo in a session of its own, with its temporary files in ``folder``."""
    with subprocess.Popen(
        [sys.executable, DEMO],
        cwd=folder,
        env=os.environ | {"TMPDIR": str(folder)} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def left_behind(folder: Path) -> list[str]:
    """Files in the folder, and processes that were told of it."""
    processes = [
        " ".join(process.info["cmdline"])
        for process in psutil.process_iter(["cmdline"])
        if any(str(folder) in word for word in process.info["cmdline"] or ())
    ]
    return [*map(str, folder.iterdir()), *processes]


@pytest.mark.timeout(SECONDS + 20)
def test_the_demo_shows_a_models_life_and_leaves_nothing(tmp_path: Path) -> None:
    with demo(tmp_path, MODELYARD_URL="grpc://192.0.2.1:1", MODELYARD_SERVER_LISTEN="nonsense") as process:
        said, errors = process.communicate(timeout=SECONDS)
    assert (process.returncode, errors) == (0, "")
    for sentence in (
        "A registry serves on 127.0.0.1:",
        "Trained a decision stump and pushed it as demo/breast-cancer@1:",
        "Promoted version 1 to production",
        "version 1 answers and gets",
        "Trained a logistic regression and pushed it as demo/breast-cancer@2:",
        "Promoted version 2 to production: auc 0.",
        "version 2 answers and gets",
        "What the registry can tell about the version in production:",
        "That was all",
    ):
        assert sentence in said
    assert said.count("version 1 answers") == 2
    assert said.count("version 2 answers") == 1
    assert not left_behind(tmp_path)


@pytest.mark.timeout(SECONDS + 20)
def test_a_demo_whose_reader_goes_away_leaves_nothing(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        assert process.stdout
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(SECONDS) != 0
    assert not left_behind(tmp_path)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.timeout(SECONDS + 20)
def test_a_demo_that_is_stopped_leaves_nothing_either(tmp_path: Path, sent: signal.Signals) -> None:
    with demo(tmp_path) as process:
        assert process.stdout
        for line in process.stdout:
            if "Promoted version 1" in line:
                break
        process.send_signal(sent)
        _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + sent
    assert "Traceback" not in errors
    assert not left_behind(tmp_path)

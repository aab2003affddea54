"""Ctrl-C ends each command that waits for a registry: at once, with one line and 130, and nothing is half-done."""

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from tests.support.children import PATIENCE
from tests.support.cli import COMMAND

WAITING = [
    ["status"],
    ["ls"],
    ["show", "team/fraud@7"],
    ["resolve", "team/fraud@production"],
    ["push", "team/fraud", "files", "--no-capture"],
    ["pull", "team/fraud@production"],
    ["pull", "team/fraud@production", "target"],
    ["promote", "team/fraud@7"],
    ["rollback", "team/fraud"],
    ["watch", "team/fraud@production"],
    ["watch", "team/fraud@production", "--wait"],
    ["log", "team"],
    ["evaluate", "team/fraud@7", "--dataset", "test", "--metric", "auc=0.9"],
]


@pytest.mark.parametrize("arguments", WAITING, ids=" ".join)
def test_ctrl_c_at_a_mute_registry(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "model.bin").write_bytes(b"weights")
    with socket.create_server(("127.0.0.1", 0)) as mute:
        mute.settimeout(PATIENCE)
        environment = os.environ | {
            "MODELYARD_URL": f"grpc://127.0.0.1:{mute.getsockname()[1]}",
            "MODELYARD_CACHE_DIR": str(tmp_path / "cache"),
            "XDG_STATE_HOME": str(tmp_path / "state"),
        }
        with subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            connection, _ = mute.accept()
            with connection:
                assert connection.recv(1)  # it waits for an answer now
                process.send_signal(signal.SIGINT)
                told = process.communicate(timeout=PATIENCE)

    assert (process.returncode, *told) == (130, "", "error: interrupted\n")
    assert not (tmp_path / "target").exists()
    assert not (tmp_path / "cache" / "blobs").exists() or not list((tmp_path / "cache" / "blobs").iterdir())

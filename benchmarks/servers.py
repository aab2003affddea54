"""The servers that are measured: ours, and MLflow's from an environment of its own."""

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil

ROOT: Final = Path(__file__).parents[1]
BIN: Final = Path(sys.executable).parent
PEER_BIN: Final = ROOT / ".venv-peers" / "bin"
PEER_ENVIRONMENT: Final = {
    **os.environ,
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    # Half of its processes serve jobs that nobody asks for here; without them it is the faster one.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def modelyard(folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """A server on a free port; its URL and its process."""
    address = f"127.0.0.1:{free_port()}"
    flags = ("--data-dir", folder, "--listen", address, "--admin-listen", "", "--log-level", "warning")
    process = subprocess.Popen([BIN / "modelyard-server", "serve", "--drain-delay", "0", *flags])
    try:
        probe = [str(BIN / "modelyard-server"), "probe", "--address", address]
        while subprocess.run(probe, capture_output=True, check=False).returncode:
            if process.poll() is not None:
                raise SystemExit("the server did not start")
        yield f"grpc://{address}", psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


@contextmanager
def mlflow(folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """The same of MLflow's server that keeps artifacts too, with one worker, which is its fastest here."""
    folder.mkdir(exist_ok=True)
    port = free_port()
    flags = (
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        str(folder / "artifacts"),
    )
    command: list[str | Path] = [
        PEER_BIN / "mlflow",
        "server",
        *flags,
        "--serve-artifacts",
        "--workers",
        "1",
        "--port",
        str(port),
    ]
    with (folder / "mlflow.log").open("wb") as log:
        process = subprocess.Popen(command, env=PEER_ENVIRONMENT, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        while not _answers(f"{url}/health"):
            if process.poll() is not None:
                raise SystemExit(f"mlflow did not start: see {folder}/mlflow.log")
        yield url, psutil.Process(process.pid)
    finally:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.terminate()
        process.terminate()
        process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False

"""The environment of ``make test-others``, and a registry."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.commands import ROOT, run
from tests.support.server import ServerProcess, clean_environment

PYTHON = ROOT / ".venv-others/bin/python"

Program = Callable[..., str]
"""Runs a program with arguments in the other environment, and returns what it prints."""


@pytest.fixture(scope="session", autouse=True)
def installed() -> None:
    if not (PYTHON.parents[1] / ".ready").exists():
        pytest.skip("needs packages of a gigabyte: make test-others installs them")


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("registry")).start()
    yield process
    process.close()


@pytest.fixture
def program(registry: ServerProcess, tmp_path: Path) -> Program:
    environment = clean_environment() | {
        "MODELYARD_URL": registry.url,
        "MODELYARD_CACHE_DIR": str(tmp_path / "cache"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path / "huggingface"),
    }

    def call(code: str, *arguments: str) -> str:
        return run(PYTHON, "-c", code, *arguments, cwd=tmp_path, env=environment)

    return call

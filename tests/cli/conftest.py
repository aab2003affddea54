"""A registry, and the command line before it."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from tests.support.cli import Answer, Cli
from tests.support.server import ServerProcess

from modelyard import Client
from modelyard.cli.app import run


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for all: each test has a namespace of its own."""
    process = ServerProcess(tmp_path_factory.mktemp("registry")).start()
    yield process
    process.close()


@pytest.fixture
def settings(registry: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_URL", registry.url)


@pytest.fixture
def cli(settings: None, capsys: pytest.CaptureFixture[str]) -> Cli:
    def call(*arguments: str | Path) -> Answer:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    return call


@pytest.fixture
def team(settings: None) -> str:
    """A namespace of the test's own."""
    name = f"team-{uuid4().hex[:8]}"
    with Client() as client:
        client.namespaces.create(name)
    return name


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    (folder / "sub").mkdir(parents=True)
    (folder / "model.bin").write_bytes(b"weights")
    (folder / "sub" / "config.json").write_text("{}")
    return folder


@pytest.fixture
def fraud(cli: Cli, team: str, files: Path) -> str:
    """A model with one version."""
    assert cli("push", f"{team}/fraud", files, "--no-capture").code == 0
    return f"{team}/fraud"

"""Completion in a real bash, at the press of Tab."""

import os
import pty
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.support.children import BIN
from tests.support.cli import Cli

from modelyard.cli.bash import joined, remainder


class Bash:
    """An interactive bash on a terminal, with our completion loaded."""

    def __init__(self, home: Path) -> None:
        self._ours, theirs = pty.openpty()
        environment = os.environ | {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(home),
            "TERM": "dumb",
            "PS1": "$",
        }
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile", "-i"],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment,
            cwd=home,
            start_new_session=True,
        )
        os.close(theirs)
        script = subprocess.run(
            [BIN / "modelyard", "--show-completion", "bash"],
            check=True,
            capture_output=True,
            text=True,
            env=environment | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        ).stdout
        (home / "completion.sh").write_text(script)
        self.type("source completion.sh; echo 'load''ed'\n")
        self.wait_for("loaded")

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def wait_for(self, text: str) -> str:
        """All that is shown until the text is."""
        shown = ""
        while text not in shown:
            shown += os.read(self._ours, 4096).decode()
        return shown

    def close(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        os.close(self._ours)


@pytest.fixture
def bash(settings: None, tmp_path: Path) -> Iterator[Bash]:
    shell = Bash(tmp_path)
    yield shell
    shell.close()


@pytest.mark.parametrize("typed", ["resolve {}@pro\t", "resolve {:.15}\t\x7f@pro\t", "resolve {}@produc\t"])
def test_bash_completes_models_and_aliases(bash: Bash, cli: Cli, fraud: str, typed: str) -> None:
    """The command that comes out is run: it has the whole reference, once."""
    cli("promote", f"{fraud}@1")
    bash.type(f"modelyard {typed.format(fraud)}; echo 'an''swered'\n")
    assert f"{fraud}@1  sha256:" in bash.wait_for("answered")


def test_bash_completes_the_value_of_an_option(bash: Bash, cli: Cli, fraud: str, files: Path) -> None:
    cli("promote", f"{fraud}@1")
    tuned = f"{fraud}-tuned"
    bash.type(f"modelyard push --no-capture --parent={fraud}@pro\t{tuned} {files}; echo 'an''swered'\n")
    assert f"{tuned}@1  sha256:" in bash.wait_for("answered")


@pytest.mark.parametrize(
    ("words", "whole", "kept"),
    [
        (["m", "pull", "team/x", "@", "pro"], ["m", "pull", "team/x@pro"], "team/x"),
        (["m", "pull", "team/x", "@"], ["m", "pull", "team/x@"], "team/x"),
        (["m", "pull", "team/x@pro"], ["m", "pull", "team/x@pro"], ""),
        (["m", "pull", "a", "@", "1", ""], ["m", "pull", "a@1", ""], ""),
        (["m", "--parent", "=", "a", "@", ""], ["m", "--parent=a@"], "--parent=a"),
    ],
)
def test_words_are_joined_where_bash_broke_them(words: list[str], whole: list[str], kept: str) -> None:
    assert joined(words, len(words) - 1) == (whole, kept)


def test_an_answer_is_what_follows_the_part_that_bash_keeps() -> None:
    assert remainder("team/x@production", "team/x") == "@production"
    assert remainder("a@production", "--parent=a") == "@production"
    assert remainder("a@production", "--parent=") == "a@production"
    assert remainder("a@production", "") == "a@production"

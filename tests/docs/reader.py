"""Does what a page tells its reader to do, in a folder of its own, against a real server."""

import ast
import json
import os
import re
import shlex
import signal
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Final

import yaml
from tests.docs.blocks import Block, Command, blocks
from tests.docs.outputs import equal
from tests.packaging.dockerfile import parse as parse_dockerfile
from tests.support.children import BIN, PATIENCE, SERVER, clean_environment, spawn
from tests.support.postgres import free_port
from tests.support.receiver import CERTIFICATE

UPDATE: Final = bool(os.environ.get("MODELYARD_DOCS_UPDATE"))
"""Whether pages are rewritten to show what is printed now."""
DEFAULT_URL: Final = "grpc://127.0.0.1:4850"

_ENTRIES: Final = {"modelyard": "modelyard.cli:main", "modelyard-server": SERVER}
_PORT: Final = "8000"
"""The port of the reader's own services. A test uses a free one."""
_SEPARATORS: Final = frozenset({"|", "&&", "||", ">", "&", ";"})
_BEFORE: Final = _SEPARATORS | {"--", "do", "then", "until"}
"""After these words of a line, a command begins."""
_JOINED: Final = re.compile(r"\\\n\s*")
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"$`\\]*\"")
_SHELL: Final = re.compile(r"[|&;<>$`*?~\n]|\\\n")
# What can't be run here, and why. The shell checks its syntax, and our own commands check their options.
ELSEWHERE: Final = {
    "kubectl": "needs a cluster",
    "docker": "needs a daemon",
    "pip": "changes an environment; tests/packaging installs the wheels",
    "make": "runs in a checkout; other tests run the targets",
    "modelyard-server serve": "the tests have a server",
    "modelyard-server migrate": "needs a database of the reader's own; tests/server runs it",
    "modelyard-server fsck": "needs the data of the reader's own server; tests/server runs it",
}
MISSING: Final = ("mlflow", "wandb", "huggingface_hub", "torch")
"""Packages of other projects that the tests do without. Programs that import them are only compiled."""


_Edit = tuple[int, int, list[str]]
"""Lines of a page from, up to, and what to show instead."""


class Reader:
    """Reads pages that belong together, in their order."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self._port = str(free_port())
        self._environment = clean_environment() | {
            "HOME": str(folder),
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "MODELYARD_URL": url,
            "PYTHONUNBUFFERED": "1",
            "RECEIVER_CERTIFICATE": str(CERTIFICATE.with_suffix("")),
            "PYTHONWARNINGS": "default",
            "COLUMNS": "200",
        }
        for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
            self._environment.pop(name, None)
        self._background: list[subprocess.Popen[bytes]] = []
        self.differences: list[str] = []

    def read(self, *pages: Path) -> None:
        """Does all that they tell. Raises ``AssertionError`` at what fails; outputs that differ are collected."""
        try:
            for page in pages:
                edits: list[_Edit] = []
                for block in blocks(page):
                    edits += self._do(block)
                if UPDATE:
                    _rewrite(page, edits)
        finally:
            self.close()

    def close(self) -> None:
        for process in self._background:
            self._end(process)

    def _do(self, block: Block) -> list[_Edit]:
        if block.title:
            path = self.folder / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.code)
        if block.language == "console":
            return [edit for command in block.commands() for edit in self._command(block, command)]
        checks: dict[str, Callable[[Block], object]] = {
            "setup": lambda block: self._run_all(block, block.lines[0]),
            "sh": lambda block: self._check_shell(block.code, block),
            "python": self._python,
            "yaml": self._yaml,
            "json": lambda block: json.loads(block.code),
            "toml": lambda block: tomllib.loads(block.code),
            "ini": lambda block: ConfigParser().read_string(block.code),
            "dockerfile": self._dockerfile,
            "text": lambda _: None,
        }
        assert block.language in checks, f"{block.place()}: no test knows blocks of the language {block.language!r}"
        checks[block.language](block)
        return []

    # Commands

    def _command(self, block: Block, command: Command) -> list[_Edit]:
        """Runs a command. If it prints something else than the page shows, returns what the page should show."""
        text = command.text.replace(_PORT, self._port)
        if exported := re.fullmatch(r"export (\w+)=(\S+)", text):
            self._environment[exported[1]] = exported[2]
        elif _elsewhere(text):
            self._check_shell(text, block)
        elif text == "kill %uvicorn; wait %uvicorn":  # each command has a shell of its own, so none knows its jobs
            self._end(self._background.pop())
        elif text.endswith(" &"):
            self._start(text.removesuffix(" &"))
        else:
            code, printed = self._run(text)
            shown = self._shown(printed)
            fails = any(line.startswith("error:") for line in (shown if UPDATE else command.output))
            report = f"{block.place(command.line)}: '{text}' exits with {code}, and prints\n" + "\n".join(shown)
            assert (code != 0) == fails, report
            if not equal(command.output, shown):
                self.differences.append(report)
                return [(command.output_line, command.end, [" " * block.indent + line for line in shown])]
        return []

    def _shown(self, printed: str) -> list[str]:
        """The output, with the addresses and folders of a reader."""
        text = printed.replace(self.url, DEFAULT_URL).replace(str(self.folder), "~").replace(self._port, _PORT)
        return [line.rstrip() for line in text.splitlines()]

    def _run_all(self, block: Block, text: str) -> None:
        code, printed = self._run(text)
        assert code == 0, f"{block.place()}: '{text}' exits with {code}:\n{printed}"

    def _run(self, text: str) -> tuple[int, str]:
        """Our own commands are forks of the launcher, which start ten times as fast."""
        words = [] if _SHELL.search(_QUOTED.sub("", text)) else shlex.split(text)
        entry = _ENTRIES.get(words[0]) if words else None
        command: list[str | Path] = [BIN / words[0], *words[1:]] if entry else ["/bin/bash", "-c", text]
        return self._spawned(command, entry)

    def _spawned(self, command: list[str | Path], entry: str | None) -> tuple[int, str]:
        """The exit code, and what it prints to both streams."""
        with TemporaryFile() as out:
            number = out.fileno()
            child = spawn(command, entry=entry, stdout=number, stderr=number, env=self._environment, cwd=self.folder)
            try:
                code = child.wait()
            finally:
                child.kill()
            return code, os.pread(number, 1 << 24, 0).decode()

    def _start(self, text: str) -> None:
        with (self.folder / "background.log").open("ab") as log:
            self._background.append(
                subprocess.Popen(
                    ["/bin/bash", "-c", f"exec {text}"],
                    cwd=self.folder,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(PATIENCE)

    # What is not run

    def _check_shell(self, text: str, block: Block) -> None:
        """The shell's syntax, and the options of our own commands in it."""
        code, printed = self._spawned(["/bin/bash", "-n", "-c", text], None)
        assert code == 0, f"{block.place()}: {printed}"
        for line in _JOINED.sub(" ", text).splitlines():
            words = shlex.split(line, comments=True)
            starts = (place for place, word in enumerate(words) if word in _ENTRIES)
            ours = next((place for place in starts if place == 0 or words[place - 1] in _BEFORE), None)
            if ours is None:
                continue
            end = next((place for place, word in enumerate(words) if word in _SEPARATORS and place > ours), len(words))
            entry = _ENTRIES[words[ours]]
            code, printed = self._spawned([BIN / words[ours], *words[ours + 1 : end], "--help"], entry)
            assert code == 0, f"{block.place()}: '{line}': {printed}"

    def _dockerfile(self, block: Block) -> None:
        """A whole file, or without a title some lines of one."""
        path = self.folder / (block.title or "part.dockerfile")
        path.write_text(block.code if block.title else f"FROM scratch\n{block.code}")
        assert parse_dockerfile(path), block.place()

    def _yaml(self, block: Block) -> None:
        """A manifest, or a CI job with scripts under ``run`` and ``script``."""
        for document in yaml.safe_load_all(block.code):
            for script in _scripts(document):
                self._check_shell(script, block)

    # Python

    def _python(self, block: Block) -> None:
        tree = compile(block.code, block.place(), "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if block.title or _imports(tree) & set(MISSING):
            return  # a program that a command runs, or one that needs what is not installed
        program = self.folder / f".block-{block.line + 1}.py"
        program.write_text(block.code)
        code, printed = self._spawned([program, program], "tests.docs.program:main")
        assert code == 0, f"{block.place()}: the program exits with {code}:\n{printed}"


def _rewrite(page: Path, edits: list[_Edit]) -> None:
    lines = page.read_text().splitlines()
    for start, end, instead in reversed(edits):
        lines[start:end] = instead
    page.write_text("\n".join(lines) + "\n")


def _elsewhere(text: str) -> str | None:
    """Why a command isn't run here."""
    return next((why for what, why in ELSEWHERE.items() if text == what or text.startswith(f"{what} ")), None)


def _imports(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def _scripts(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        for key, value in document.items():
            if key in {"run", "script"}:
                yield "\n".join(value) if isinstance(value, list) else str(value)
            else:
                yield from _scripts(value)
    if isinstance(document, list):
        for value in document:
            yield from _scripts(value)

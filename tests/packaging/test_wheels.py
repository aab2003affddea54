"""The wheels hold what they should, and work where nothing else is: at both ends of what the SDK supports."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from tests.support.commands import ROOT, UV, run
from tests.support.server import ServerProcess, clean_environment

SESSION = Path(__file__).with_name("sdk_session.py")
SDK_SOURCES = ROOT / "clients/python/src"
SERVER_SOURCES = ROOT / "src"
LOCK = ROOT / "requirements.lock"
SDK_PROJECT = ROOT / "clients/python/pyproject.toml"
EXTRAS = tuple(tomllib.loads(SDK_PROJECT.read_text())["project"]["optional-dependencies"])
OTHER_PYTHONS = [f"3.{minor}" for minor in (11, 12, 13) if minor != sys.version_info.minor]
"""Pythons that we support, besides the one that runs the tests."""
BOTH = (f"modelyard[{','.join(EXTRAS)}]", "modelyard-server")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what ``make dist`` builds: the source archives, and the wheels made from them."""
    folder = tmp_path_factory.mktemp("wheels")
    run(UV, "build", "--quiet", "--no-build-isolation", "--all-packages", "--out-dir", folder)
    return folder


class Wheelhouse:
    """Folders with the wheels of ours, and of all that they need with all extras, in the locked versions.

    Filling it needs an index, once; installing from it needs none.
    """

    def __init__(self, wheels: Path, folder: Path) -> None:
        self._sources = ("--no-index", "--find-links", wheels, "--find-links", folder)
        pins = folder / "pins.txt"
        resolve = (UV, "pip", "compile", "--quiet", "--all-extras", "--constraints", LOCK, "--no-emit-package")
        run(*resolve, "modelyard", "-o", pins, SDK_PROJECT, ROOT / "pyproject.toml")
        fetch = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:")
        run(*fetch, "--dest", folder, "--requirement", pins)

    def install(self, python: Path, *packages: str) -> None:
        run(UV, "pip", "install", "--quiet", "--python", python, *self._sources, *packages)


@pytest.fixture(scope="module")
def wheelhouse(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Wheelhouse:
    return Wheelhouse(wheels, tmp_path_factory.mktemp("wheelhouse"))


def at_hand(version: str) -> Path | None:
    """An interpreter of this machine: on the path, or of pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    return _first((shutil.which(f"python{version}"), *pyenv.glob(f"{version}.*/bin/python{version}")))


def _first(candidates: Iterable[str | Path | None]) -> Path | None:
    """A Python that runs. The shim of pyenv exists for all versions, and fails for those that are not chosen."""
    return next((Path(each) for each in candidates if each is not None and _runs(each)), None)


def _runs(python: str | Path) -> bool:
    return subprocess.run([python, "-V"], check=False, capture_output=True).returncode == 0


def wheel(folder: Path, distribution: str) -> Path:
    (found,) = folder.glob(f"{distribution}-*.whl")
    return found


def virtual(folder: Path, python: str | Path = sys.executable) -> Path:
    """The interpreter of a new environment, which holds nothing."""
    run(UV, "venv", "--quiet", "--python", python, folder)
    return folder / "bin" / "python"


def installed(python: Path) -> dict[str, str]:
    lines = run(UV, "pip", "freeze", "--python", python).splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


@pytest.fixture(scope="module")
def oldest(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SDK with the oldest releases that it allows, from an index: no lock has them."""
    python = virtual(tmp_path_factory.mktemp("oldest") / "environment")
    sdk = wheel(wheels, "modelyard")
    run(UV, "pip", "install", "--quiet", "--python", python, "--resolution", "lowest", sdk)
    return python


@pytest.fixture(scope="module")
def newest(wheelhouse: Wheelhouse, tmp_path_factory: pytest.TempPathFactory) -> Path:
    python = virtual(tmp_path_factory.mktemp("newest") / "environment")
    wheelhouse.install(python, "modelyard")
    return python


@pytest.fixture(scope="module")
def with_server(wheelhouse: Wheelhouse, tmp_path_factory: pytest.TempPathFactory) -> Path:
    python = virtual(tmp_path_factory.mktemp("with_server") / "environment")
    wheelhouse.install(python, *BOTH)
    return python


def files(path: Path) -> set[str]:
    with zipfile.ZipFile(path) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def sources(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts}


@pytest.mark.parametrize(("distribution", "folder"), [("modelyard", SDK_SOURCES), ("modelyard_server", SERVER_SOURCES)])
def test_a_wheel_is_the_package_and_nothing_else(wheels: Path, distribution: str, folder: Path) -> None:
    assert files(wheel(wheels, distribution)) == {name for name in sources(folder) if name.startswith(distribution)}


def test_the_sdk_is_typed_and_brings_its_stubs(wheels: Path) -> None:
    inside = files(wheel(wheels, "modelyard"))

    assert "modelyard/py.typed" in inside
    for proto in (ROOT / "protos/modelyard/v1").glob("*.proto"):
        assert {f"modelyard/v1/{proto.stem}_pb2.py", f"modelyard/v1/{proto.stem}_pb2.pyi"} <= inside
    for service in ("registry", "artifacts"):
        assert {f"modelyard/v1/{service}_pb2_grpc.py", f"modelyard/v1/{service}_pb2_grpc.pyi"} <= inside


def test_the_server_is_typed_and_brings_its_migrations(wheels: Path) -> None:
    inside = files(wheel(wheels, "modelyard_server"))
    migrations = "modelyard_server/db/migrations"

    assert {"modelyard_server/py.typed", f"{migrations}/env.py", f"{migrations}/script.py.mako"} <= inside
    assert any(re.fullmatch(rf"{migrations}/versions/\d{{4}}_\w+\.py", name) for name in inside)


def test_no_wheel_brings_tests(wheels: Path) -> None:
    for path in wheels.glob("*.whl"):
        assert not [name for name in files(path) if re.search(r"(^|/)(tests?|conftest)\b", name)]


def release(version: str) -> tuple[str, ...]:
    """``1.65`` and ``1.65.0`` are the same one."""
    return tuple((version + ".0").split(".")[:3])


def test_the_oldest_environment_has_the_declared_floors(oldest: Path) -> None:
    declared = tomllib.loads((ROOT / "clients/python/pyproject.toml").read_text())["project"]["dependencies"]
    floors = {name: floor for one in declared for name, floor in re.findall(r"^([\w-]+)>=([\d.]+)", one)}
    versions = installed(oldest)

    assert len(floors) == len(declared)
    assert {name: release(versions[name]) for name in floors} == {name: release(floors[name]) for name in floors}


def test_the_newest_environment_has_the_locked_versions(newest: Path) -> None:
    locked = dict(re.findall(r"^([\w-]+)==([\w.]+)", LOCK.read_text(), re.MULTILINE))
    versions = installed(newest)

    assert {"grpcio", "protobuf", "googleapis-common-protos"} <= set(versions)
    assert {name: locked[name] for name in versions if name in locked} == {
        name: version for name, version in versions.items() if name in locked
    }


@pytest.mark.parametrize("end", ["oldest", "newest"])
def test_the_sdk_works_without_a_warning_at_both_ends_of_its_range(
    end: str, request: pytest.FixtureRequest, server: ServerProcess, tmp_path: Path
) -> None:
    python: Path = request.getfixturevalue(end)
    variables = clean_environment() | {"MODELYARD_URL": server.url, "MODELYARD_CACHE_DIR": str(tmp_path / "cache")}

    where = run(python, "-I", "-W", "error", SESSION, tmp_path, cwd=tmp_path, env=variables)

    assert Path(where.strip()).is_relative_to(python.parents[1])


def test_the_source_archives_are_there(wheels: Path) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    assert {path.name for path in wheels.glob("*.tar.gz")} == {
        f"modelyard-{version}.tar.gz",
        f"modelyard_server-{version}.tar.gz",
    }


def check_both_installed(python: Path, folder: Path) -> None:
    """With their versions, commands and help."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    told = "import modelyard, modelyard_server; print(modelyard.__version__, modelyard_server.__version__)"
    assert run(python, "-I", "-W", "error", "-c", told, cwd=folder) == f"{version} {version}\n"
    for program in ("modelyard", "modelyard-server"):
        assert run(python.with_name(program), "--version", cwd=folder) == f"{program} {version}\n"
    for command in (
        ("modelyard",),
        ("modelyard", "webhooks", "ls"),
        ("modelyard-server",),
        ("modelyard-server", "serve"),
    ):
        program, *words = command
        assert "Usage: " in run(python.with_name(program), *words, "-h", cwd=folder)


def test_both_are_installed_with_their_extras_from_the_wheels(with_server: Path, tmp_path: Path) -> None:
    check_both_installed(with_server, tmp_path)


@pytest.mark.parametrize("version", OTHER_PYTHONS)
def test_other_pythons_install_both_from_the_wheels(wheels: Path, tmp_path: Path, version: str) -> None:
    """Their dependencies come from an index, in the locked versions: the wheelhouse is for one Python."""
    interpreter = at_hand(version)
    if interpreter is None:
        pytest.skip(f"this machine has no Python {version}")
    python = virtual(tmp_path / version, interpreter)
    sources = ("--constraints", LOCK, "--find-links", wheels)
    run(UV, "pip", "install", "--quiet", "--python", python, *sources, *BOTH)
    check_both_installed(python, tmp_path)


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_brings_what_it_promises_and_no_more_than_that(
    wheelhouse: Wheelhouse, newest: Path, tmp_path: Path, extra: str
) -> None:
    """Without an index, so a dependency that is not in the wheelhouse is an error."""
    python = virtual(tmp_path / extra)
    wheelhouse.install(python, f"modelyard[{extra}]")
    declared = tomllib.loads(SDK_PROJECT.read_text())["project"]["optional-dependencies"]
    names = {each: {re.split(r"[>=]", one)[0] for one in declared[each]} for each in EXTRAS}
    brought = installed(python).keys() - installed(newest).keys()
    assert names.pop(extra) <= brought
    assert not brought & {"modelyard-server", *set().union(*names.values())}


def test_the_sdk_alone_says_how_to_get_its_command_line(newest: Path, tmp_path: Path) -> None:
    program = newest.with_name("modelyard")

    done = subprocess.run([program, "ls"], check=False, capture_output=True, text=True, cwd=tmp_path)

    assert done.returncode == 1
    assert done.stderr.startswith("error: the command line needs two more packages. Install modelyard[cli]")


class InstalledServer(ServerProcess):
    """The server that a wheel put into another environment."""

    entry = None

    def __init__(self, folder: Path, python: Path) -> None:
        super().__init__(folder)
        self.program = python.with_name("modelyard-server")

    def command(self) -> list[str]:
        return [str(self.program), *super().command()[1:]]


@pytest.fixture
def installed_server(with_server: Path, tmp_path: Path) -> Iterator[InstalledServer]:
    process = InstalledServer(tmp_path, with_server)
    process.start(fresh=True)
    yield process
    process.close()


def test_the_installed_server_migrates_serves_and_answers_its_probe(
    installed_server: InstalledServer, tmp_path: Path
) -> None:
    assert run(installed_server.program, "probe", "--address", installed_server.address, cwd=tmp_path) == "serving\n"
    assert '"event": "migrated"' in installed_server.log.read_text()
    assert installed_server.stop() == 0

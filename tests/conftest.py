"""Fixtures that all tests share."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from tests.support import shared
from tests.support.calls import fraud
from tests.support.children import launcher
from tests.support.launcher import die_with
from tests.support.parsing import parse_undisturbed
from tests.support.postgres import Postgres, running_postgres
from tests.support.prepared import Prepared, prepare
from tests.support.registry import RunningRegistry, running_registry
from tests.support.server import ServerProcess

parse_undisturbed()

# A shell has what runs in its background ignore Ctrl-C, and all that this starts would do so too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Workers get whole files. A long one that starts last would run alone, so these start first; in seconds, on two cores.
_LONG_FILES: Final = {
    "server/test_fsck.py": 300,
    "server/test_edited_columns.py": 120,
    "attacks/test_table.py": 230,
    "kill/test_failpoints.py": 160,
    "property/test_fuzz.py": 150,
    "property/test_machine.py": 100,
    "docs/test_pages.py": 45,
    "load/test_memory.py": 70,
    "load/test_bounds.py": 200,
    "test_demo.py": 70,
    "runner/test_children.py": 60,
    "faults/test_pgbouncer.py": 75,
    "faults/test_failing_disk.py": 55,
    "rpc/test_retries.py": 55,
    "rpc/test_bytes.py": 45,
    "rpc/test_webhooks.py": 45,
    "kill/test_webhooks.py": 40,
    "kill/test_lost_answers.py": 40,
    "rpc/test_sizes.py": 35,
    "faults/test_postgres.py": 35,
    "packaging/test_image.py": 35,
    "server/test_drain.py": 90,
    "faults/test_restart.py": 30,
    "packaging/test_wheels.py": 30,
    "db/test_evolution.py": 30,
    "faults/test_half_open.py": 25,
    "kill/test_random_moments.py": 25,
    "kill/test_power_cut.py": 25,
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent

    def cost(item: pytest.Item) -> int:
        return _LONG_FILES.get(item.path.relative_to(here).as_posix(), 0)

    items.sort(key=cost, reverse=True)


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):  # of pytest-xdist: it would notice only after a while that its runner is gone
        die_with(os.getppid(), signal.SIGKILL)


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees the settings, the cache or the home of who runs it."""
    for name in ("MODELYARD_URL", "MODELYARD_TOKEN", "MODELYARD_SERVER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MODELYARD_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))


@pytest.fixture(scope="session", autouse=True)
def shared_by_all_workers(tmp_path_factory: pytest.TempPathFactory) -> None:
    shared.use(tmp_path_factory)
    if "PYTEST_XDIST_WORKER" in os.environ:
        launcher.start()  # while the first tests run


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def prepared_on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(tmp_path_factory.mktemp("on-sqlite"))


@pytest.fixture(scope="session")
def prepared_on_postgresql(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Prepared:
    return prepare(tmp_path_factory.mktemp("on-postgresql"), postgres)


@pytest.fixture(params=["sqlite", "postgresql"])
def prepared(request: pytest.FixtureRequest) -> Prepared:
    """A stopped server with some history on each dialect, to be copied."""
    made: Prepared = request.getfixturevalue(f"prepared_on_{request.param}")
    return made


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A new, migrated database of each dialect; `sqlite` for a file that is made where it is wanted."""
    if request.param == "sqlite":
        yield "sqlite"
        return
    cluster: Postgres = request.getfixturevalue("postgres")
    url = cluster.migrated()
    yield url
    cluster.drop(url)


@pytest.fixture
async def yard(database_url: str, tmp_path: Path) -> AsyncIterator[RunningRegistry]:
    """A registry in this process, on each dialect."""
    async with running_registry(database_url, tmp_path / "yard") as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["sqlite", "postgresql"])
async def fraud_yard(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningRegistry]:
    """One for all tests of a module, on each dialect, with the model `fraud`: for calls that change nothing of it."""
    url = "sqlite" if request.param == "sqlite" else request.getfixturevalue("postgres").migrated()
    async with running_registry(url, tmp_path_factory.mktemp("yard")) as running:
        await fraud(running)
        yield running


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server in a process of its own, on the embedded default."""
    process = ServerProcess(tmp_path).start()
    yield process
    process.close()

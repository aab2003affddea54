"""Fixtures of the suites about downloads and the cache."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.sdk.cached_versions import let_go
from tests.sdk.fake_artifacts import FakeArtifacts, connect, serve

from modelyard._cache import locks, snapshots
from modelyard._connection import Connection


@pytest.fixture
def registry() -> FakeArtifacts:
    return FakeArtifacts()


@pytest.fixture
async def connection(registry: FakeArtifacts) -> AsyncIterator[Connection]:
    async with serve(registry) as url, connect(url) as connection:
        yield connection


@pytest.fixture
def nothing_held(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process that starts holds nothing and has tried no locks; each test stands for one."""
    held: dict[Path, int] = {}
    monkeypatch.setattr(snapshots, "_held", held)
    monkeypatch.setattr(locks, "_proven", {})
    yield
    let_go(held)

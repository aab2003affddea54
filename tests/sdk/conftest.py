"""Fixtures of the suites about transfers and the cache."""

from collections.abc import AsyncIterator

import pytest
from tests.sdk.fake_artifacts import FakeArtifacts, connect, serve

from modelyard._cache import locks
from modelyard._connection import Connection


@pytest.fixture
def registry() -> FakeArtifacts:
    return FakeArtifacts()


@pytest.fixture
async def connection(registry: FakeArtifacts) -> AsyncIterator[Connection]:
    async with serve(registry) as url, connect(url) as connection:
        yield connection


@pytest.fixture
def untried_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that starts has tried no locks; each test stands for one."""
    monkeypatch.setattr(locks, "_proven", {})

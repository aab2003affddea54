"""How long a transfer that broke is tried again."""

import asyncio

import pytest

from modelyard._connection import PATIENCE
from modelyard._transfer import retries
from modelyard._transfer.retries import Backoff
from modelyard.errors import UnavailableError


class _Clock:
    """The time of the running loop. Pauses pass at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now)
        monkeypatch.setattr(asyncio, "sleep", self._sleep)
        monkeypatch.setattr(retries._random, "uniform", lambda _low, high: high)

    async def _sleep(self, seconds: float) -> None:
        self.now += seconds


async def _pauses(backoff: Backoff, error: UnavailableError) -> int:
    """How often the transfer is tried again until the error is raised."""
    count = 0
    while count < 1000:
        try:
            await backoff.pause(error)
        except UnavailableError:
            return count
        count += 1
    raise AssertionError("it is tried for ever")


async def test_a_registry_that_is_away_is_given_the_time_of_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = _Clock(monkeypatch)

    await _pauses(Backoff(), UnavailableError("connection refused", reason="UNAVAILABLE"))

    assert PATIENCE <= clock.now < PATIENCE + 2


async def test_a_registry_that_answers_badly_is_asked_six_times(monkeypatch: pytest.MonkeyPatch) -> None:
    _Clock(monkeypatch)

    assert await _pauses(Backoff(), UnavailableError("a part was damaged", reason="CHUNK_CORRUPT")) == 5


async def test_progress_begins_the_count_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, backoff = _Clock(monkeypatch), Backoff()
    away = UnavailableError("connection refused", reason="UNAVAILABLE")
    for position in range(1, 40):
        await backoff.pause(away)
        backoff.reached(position)

    assert clock.now > 0
    await _pauses(backoff, away)

"""A registry that goes away while a program waits for it: the program says so, once, and that it is back."""

import asyncio
import re
import signal
import subprocess
from pathlib import Path

import pytest
from tests.support.cli import COMMAND
from tests.support.server import ServerProcess
from tests.support.waiting import until

from modelyard import AsyncClient

AWAY = r"{} does not answer: nothing listens on port \d+ of 127.0.0.1. Trying again{}."
AGAIN = r"{} answers again, after \d+ s."


def told(log: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in log.records if record.name == "modelyard.connection"]


def matches(messages: list[str], server: ServerProcess, limit: str) -> bool:
    """Whether one absence was told, and its end."""
    patterns = (AWAY.format(re.escape(server.url), limit), AGAIN.format(re.escape(server.url)))
    return len(messages) == 2 and all(map(re.fullmatch, patterns, messages))


async def test_a_call_that_waits_for_a_registry_says_so_once(
    server: ServerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    async with AsyncClient(server.url) as yard:
        await yard.status()
        assert told(caplog) == []
        server.stop(signal.SIGKILL)
        waiting = [asyncio.create_task(yard.status()) for _ in range(3)]
        await until(lambda: bool(told(caplog)))
        server.start()
        await asyncio.gather(*waiting)
        await yard.status()

    assert matches(told(caplog), server, r" for up to 1\d s"), told(caplog)


async def test_a_watch_says_so_once_however_often_it_tries(
    server: ServerProcess, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    (tmp_path / "model").write_text("weights")
    async with AsyncClient(server.url, cache_dir=tmp_path / "cache") as yard:
        await yard.push("fraud", tmp_path / "model", capture=False, alias="production")
        watch = yard.watch("fraud@production")
        await anext(watch)
        following = asyncio.ensure_future(anext(watch))
        for _ in range(2):
            server.stop(signal.SIGKILL)
            caplog.clear()
            await until(lambda: bool(told(caplog)))
            server.start()
            await until(lambda: len(told(caplog)) > 1)
            assert matches(told(caplog), server, ""), told(caplog)
        (tmp_path / "model").write_text("better")
        await yard.push("fraud", tmp_path / "model", capture=False, alias="production")
        assert (await following).version.number == 2


@pytest.mark.parametrize(("options", "lines"), [((), 2), (("--quiet",), 1)])
def test_the_command_line_says_it_before_it_gives_up(
    server: ServerProcess, options: tuple[str, ...], lines: int
) -> None:
    server.stop()
    done = subprocess.run([*COMMAND, "ls", "--url", server.url, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    *remarks, error = done.stderr.splitlines()
    assert error.startswith(f"error: {server.url} can't be reached: nothing listens on port")
    assert len(remarks) == lines - 1
    assert all(re.fullmatch(AWAY.format(re.escape(server.url), ""), remark) for remark in remarks)

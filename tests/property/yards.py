"""A registry for tests that are no coroutines: Hypothesis runs its examples one after the other, outside any loop."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from tests.support.registry import RunningRegistry, running_registry

T = TypeVar("T")


class Yard:
    """A registry, and the loop that it lives on."""

    def __init__(self, running: RunningRegistry, runner: asyncio.Runner) -> None:
        self.running = running
        self._runner = runner

    def wait(self, work: Callable[[], Awaitable[T]]) -> T:
        """What a call on the registry comes to."""

        async def make() -> T:
            return await work()

        return self._runner.run(make())


@contextmanager
def open_yard(database_url: str, folder: Path) -> Iterator[Yard]:
    with asyncio.Runner() as runner:
        context = running_registry(database_url, folder)
        running = runner.run(context.__aenter__())
        try:
            yield Yard(running, runner)
        finally:
            runner.run(context.__aexit__(None, None, None))

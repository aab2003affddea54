"""Clients that push, promote, delete, pull and look on, and that remember what they were told."""

import asyncio
import os
import random
import shutil
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self
from uuid import uuid4

from modelyard import AsyncClient
from modelyard.errors import AlreadyExistsError, DeadlineExceededError, NotFoundError, UnavailableError
from modelyard.types import Version, VersionState
from tests.support.children import PATIENCE

MIB: Final = 1 << 20
_WRITERS: Final = 3
_ALIAS: Final = "mine"


@dataclass
class Pushed:
    """One push, from its first attempt on."""

    attempts: int = 0
    version: Version | None = None
    """What was acknowledged."""


@dataclass
class History:
    """What a client may hold the registry to."""

    pushes: dict[str, Pushed] = field(default_factory=lambda: defaultdict(Pushed))
    aliases: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    """By model: where its alias may point. One number if the last move was acknowledged."""
    deleted: dict[tuple[str, int], set[bool]] = field(default_factory=lambda: defaultdict(lambda: {False}))
    """By version: whether it may be deleted."""
    read: int = 0
    """READY versions that an observer had whole."""


class _StoppedError(Exception):
    pass


class Workload:
    """Runs inside ``async with``; then :meth:`verify`."""

    def __init__(self, url: str, folder: Path, seed: int) -> None:
        self.history = History()
        self.acknowledged = 0
        self._url = url
        self._folder = folder
        self._random = random.Random(seed)
        self._tasks: list[asyncio.Task[None]] = []
        self._moved = asyncio.Condition()
        self._stopping = False

    async def __aenter__(self) -> Self:
        works: list[Callable[[AsyncClient], Awaitable[None]]] = [self._observe]
        for number in range(_WRITERS):
            model = f"model-{number}"
            works += [self._on(model, self._push), self._on(model, self._move), self._on(model, self._delete)]
        self._tasks = [asyncio.create_task(self._for_ever(work, n)) for n, work in enumerate(works)]
        return self

    async def __aexit__(self, *_: object) -> None:
        # Not by cancelling: a call that is cancelled may take effect later.
        async with self._moved:
            self._stopping = True
            self._moved.notify_all()
        await asyncio.gather(*self._tasks)

    async def further(self, count: int) -> None:
        """Waits for ``count`` more acknowledgements."""
        goal = self.acknowledged + count
        async with asyncio.timeout(PATIENCE), self._moved:
            await self._moved.wait_for(lambda: self.acknowledged >= goal or any(t.done() for t in self._tasks))
        for task in self._tasks:
            if task.done():
                task.result()  # it found something wrong

    async def _for_ever(self, work: Callable[[AsyncClient], Awaitable[None]], number: int) -> None:
        async with AsyncClient(self._url, cache_dir=self._folder / f"cache-{number}") as client:
            while not self._stopping:
                with suppress(_StoppedError):
                    await work(client)
                async with self._moved:
                    self.acknowledged += 1
                    self._moved.notify_all()

    @staticmethod
    def _on(
        model: str, work: Callable[[AsyncClient, str], Awaitable[None]]
    ) -> Callable[[AsyncClient], Awaitable[None]]:
        return lambda client: work(client, model)

    async def _push(self, client: AsyncClient, model: str) -> None:
        operation = str(uuid4())
        files = self._folder / "files" / operation
        files.mkdir(parents=True)
        (files / "config.json").write_text(operation)
        size = self._random.choice([100, 300_000, 5 * MIB, 9 * MIB])
        (files / "model.bin").write_bytes(await asyncio.to_thread(os.urandom, size))
        push = self.history.pushes[operation]
        while push.version is None:
            push.attempts += 1
            try:
                push.version = await client.push(model, files, labels={"op": operation}, capture=False)
            except (UnavailableError, DeadlineExceededError):
                continue
        await asyncio.to_thread(shutil.rmtree, files)

    async def _move(self, client: AsyncClient, model: str) -> None:
        number = await self._pick(model, even=True)
        possible = self.history.aliases[model]
        possible.add(number)
        try:
            await client.aliases.set(model, _ALIAS, number)
        except (UnavailableError, DeadlineExceededError):
            return
        self.history.aliases[model] = {number}

    async def _delete(self, client: AsyncClient, model: str) -> None:
        number = await self._pick(model, even=False)
        steps = ((client.versions.delete, True, NotFoundError), (client.versions.undelete, False, AlreadyExistsError))
        for verb, deleted, refusal in steps:
            before = self.history.deleted[model, number]
            self.history.deleted[model, number] = before | {deleted}
            try:
                await verb(f"{model}@{number}")
            except (UnavailableError, DeadlineExceededError):
                return
            except refusal:
                assert deleted in before, f"{model}@{number}: an acknowledged state is lost"
            self.history.deleted[model, number] = {deleted}

    async def _pick(self, model: str, *, even: bool) -> int:
        """A version that was acknowledged. Aliases go to even ones, so that the odd ones can be deleted."""
        while not self._stopping:
            versions = [push.version for push in self.history.pushes.values() if push.version is not None]
            numbers = [v.number for v in versions if str(v.name.model).endswith(model) and v.number % 2 != even]
            if numbers:
                return self._random.choice(numbers)
            async with self._moved:
                await self._moved.wait()
        raise _StoppedError

    async def _observe(self, client: AsyncClient) -> None:
        """A READY version is whole, whoever looks, whenever."""
        model = f"model-{self._random.randrange(_WRITERS)}"
        try:
            ready = [v async for v in client.versions.list(model) if v.state is VersionState.READY]
        except (UnavailableError, DeadlineExceededError, NotFoundError):
            return
        if not ready:
            return
        version = self._random.choice(ready)
        cache = self._folder / "observed"
        async with AsyncClient(self._url, cache_dir=cache) as newcomer:
            try:
                await newcomer.pull(version.name)
            except (UnavailableError, DeadlineExceededError):
                return
            except NotFoundError:
                assert version.number % 2, f"{version.name} was READY and is gone, and nobody deleted it"
                return
        self.history.read += 1
        await asyncio.to_thread(shutil.rmtree, cache)

    async def verify(self) -> None:
        """Holds the registry, which runs, to all that it acknowledged."""
        async with AsyncClient(self._url, cache_dir=self._folder / "verified") as client:
            found: dict[str, Counter[str]] = {}
            states: dict[tuple[str, int], VersionState] = {}
            for number in range(_WRITERS):
                model = f"model-{number}"
                versions = [v async for v in client.versions.list(model, show_deleted=True)]
                assert sorted(v.number for v in versions) == list(range(1, len(versions) + 1)), "a gap, or one twice"
                found[model] = Counter(v.labels["op"] for v in versions)
                states |= {(model, v.number): v.state for v in versions}
                if targets := self.history.aliases.get(model):
                    assert (await client.aliases.get(model, _ALIAS)).version.number in targets
            counts = sum(found.values(), Counter[str]())
            assert set(counts) <= set(self.history.pushes)
            for operation, push in self.history.pushes.items():
                assert counts[operation] <= push.attempts, "a retry took effect twice"
                if push.version is not None:
                    assert counts[operation] >= 1, f"{push.version.name} was acknowledged, and is lost"
            for (model, number), possible in self.history.deleted.items():
                assert (states[model, number] is VersionState.DELETED) in possible, (model, number)
            await self._read_all(client)

    async def _read_all(self, client: AsyncClient) -> None:
        for push in self.history.pushes.values():
            if push.version is None:
                continue
            now = await client.versions.get(push.version.name)
            assert (now.digest, now.labels) == (push.version.digest, push.version.labels)
            if now.state is VersionState.READY:
                pulled = await client.pull(push.version.name)
                assert (pulled.path / "config.json").read_text() == now.labels["op"]

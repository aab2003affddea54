"""Transactions: whole or not at all, again when another was in the way, to their end when the caller goes."""

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError
from tests.support.children import PATIENCE
from tests.support.postgres import Postgres
from tests.support.templates import sqlite_at

from modelyard.core.names import NamespaceName
from modelyard_server.calls.errors import Aborted, RegistryError, invalid
from modelyard_server.db.connection import Engine
from modelyard_server.db.engines.factory import create_engine, parse_url, sqlite_url
from modelyard_server.db.secrets import shared_secret
from modelyard_server.db.unit_of_work import Database, Transaction
from modelyard_server.log.changes import change_of
from modelyard_server.log.repository import EventListing, EventRepository, append
from modelyard_server.registry.namespaces.events import NAMESPACE
from modelyard_server.registry.namespaces.repository import NamespaceRepository
from modelyard_server.registry.namespaces.values import Namespace

_NOW = datetime(2026, 3, 1, tzinfo=UTC)
_ROOM = 1 << 20


def _url(database_url: str, folder: Path) -> URL:
    if database_url != "sqlite":
        return parse_url(database_url)
    file = folder / "test.db"
    sqlite_at(file)
    return sqlite_url(file)


@pytest.fixture
async def engine(database_url: str, tmp_path: Path) -> AsyncIterator[Engine]:
    made = create_engine(_url(database_url, tmp_path))
    yield made
    await made.dispose()


@pytest.fixture
async def database(engine: Engine) -> AsyncIterator[Database]:
    made = Database(engine, append)
    yield made
    await made.close()


def _namespace(identity: str) -> Namespace:
    return Namespace(uid=identity, create_time=_NOW, update_time=_NOW, name=NamespaceName(identity))


class Gate:
    """Holds units of work up, be they in the event loop or in a thread."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._open = asyncio.Event()
        self._open_for_threads = threading.Event()

    def open(self) -> None:
        self._open.set()
        self._open_for_threads.set()

    async def __call__(self) -> None:
        self._loop.call_soon_threadsafe(self.reached.set)
        if threading.current_thread() is threading.main_thread():
            await self._open.wait()
        else:
            assert self._open_for_threads.wait(30)


async def _names(database: Database) -> list[str]:
    found = await database.read(
        lambda transaction: NamespaceRepository(transaction).page(after="", size=1000, room=_ROOM, show_deleted=True)
    )
    return [namespace.name.namespace for namespace in found.items]


async def test_a_failing_unit_leaves_nothing(database: Database) -> None:
    async def work(transaction: Transaction) -> None:
        await NamespaceRepository(transaction).add(_namespace("a"))
        raise invalid("x", "no")

    with pytest.raises(RegistryError):
        await database.write(work)

    assert await _names(database) == []


async def test_a_discarded_unit_answers_and_leaves_nothing(database: Database) -> None:
    async def work(transaction: Transaction) -> Namespace:
        transaction.discard()
        return await NamespaceRepository(transaction).add(_namespace("a"))

    assert (await database.write(work)).key == 1
    assert await _names(database) == []


async def test_a_unit_runs_again_when_another_was_in_its_way(database: Database) -> None:
    runs = 0

    async def work(transaction: Transaction) -> str:
        nonlocal runs
        runs += 1
        if await NamespaceRepository(transaction).find(NamespaceName("a")):
            return "seen"
        if runs == 1:
            raise IntegrityError("", None, Exception("duplicate key"))
        await NamespaceRepository(transaction).add(_namespace("a"))
        return "added"

    assert await database.write(work) == "added"
    assert runs == 2


async def test_a_unit_that_never_gets_through_is_aborted(database: Database) -> None:
    async def work(transaction: Transaction) -> None:
        raise IntegrityError("", None, Exception("duplicate key"))

    with pytest.raises(Aborted) as error:
        await database.write(work)
    assert (error.value.reason, error.value.retry_after) == ("WRITE_CONFLICT", 0.1)


async def test_a_unit_outlives_its_caller(database: Database) -> None:
    gate = Gate()

    async def work(transaction: Transaction) -> None:
        await NamespaceRepository(transaction).add(_namespace("a"))
        await gate()

    caller = asyncio.create_task(database.write(work))
    await gate.reached.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    gate.open()
    await database.write(lambda transaction: NamespaceRepository(transaction).add(_namespace("b")))
    while await _names(database) != ["a", "b"]:
        await asyncio.sleep(0)


async def test_close_waits_for_units_that_run(database_url: str, tmp_path: Path) -> None:
    url = _url(database_url, tmp_path)
    database = Database(create_engine(url), append)
    gate = Gate()

    async def work(transaction: Transaction) -> None:
        await gate()
        await NamespaceRepository(transaction).add(_namespace("late"))

    unit = asyncio.create_task(database.write(work))
    await gate.reached.wait()
    closing = asyncio.create_task(database.close())
    gate.open()
    await asyncio.gather(unit, closing)

    again = Database(create_engine(url), append)
    assert await _names(again) == ["late"]
    await again.close()


async def test_cancelled_readers_leave_the_pool_whole(database: Database) -> None:
    gate = Gate()

    async def stuck(transaction: Transaction) -> None:
        await NamespaceRepository(transaction).page(after="", size=1, room=_ROOM, show_deleted=True)
        await gate()

    for _ in range(40):
        reader = asyncio.create_task(database.read(stuck))
        for _ in range(5):
            await asyncio.sleep(0)
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
    gate.open()

    assert await _names(database) == []


async def test_revisions_follow_the_order_of_commits(postgres: Postgres) -> None:
    """R10: had the slow unit drawn its revision first, a reader would see 2 without 1, and never look for 1 again."""
    engine = create_engine(parse_url(postgres.migrated()))
    database = Database(engine, append)
    gate = Gate()
    namespace = await database.write(lambda transaction: NamespaceRepository(transaction).add(_namespace("a")))

    def record(transaction: Transaction, actor: str) -> None:
        change = change_of(
            NAMESPACE,
            "updated",
            namespace_key=namespace.key,
            before=None,
            after=namespace,
            actor=actor,
            request_id="",
            time=_NOW,
        )
        transaction.record(change)

    async def slow(transaction: Transaction) -> None:
        record(transaction, "slow")
        await gate()

    async def quick(transaction: Transaction) -> None:
        record(transaction, "quick")

    async def log() -> list[tuple[int, str]]:
        async def work(transaction: Transaction) -> list[tuple[int, str]]:
            events = EventRepository(transaction)
            head = await events.head(namespace.name)
            assert head is not None
            page = await events.page(head, EventListing(place=namespace.name), size=100)
            return [(event.revision, event.change.actor) for event in page.items]

        return await database.read(work)

    begun_first = asyncio.create_task(database.write(slow))
    await gate.reached.wait()
    async with asyncio.timeout(PATIENCE):
        await database.write(quick)
    assert await log() == [(1, "quick")]
    gate.open()
    await begun_first
    assert await log() == [(1, "quick"), (2, "slow")]
    await database.close()


async def test_thirty_two_writers_all_get_through(database: Database) -> None:
    base = await database.write(lambda transaction: NamespaceRepository(transaction).add(_namespace("a")))

    async def bump(_: int) -> None:
        async def work(transaction: Transaction) -> None:
            before = await NamespaceRepository(transaction).find(base.name, lock=True)
            assert before is not None
            await NamespaceRepository(transaction).update(replace(before, row_version=before.row_version + 1))

        await database.write(work)

    await asyncio.gather(*(bump(number) for number in range(32)))

    after = await database.read(lambda transaction: NamespaceRepository(transaction).find(base.name))
    assert after is not None
    assert after.row_version == 33


async def test_secrets_are_made_once_and_kept(engine: Engine) -> None:
    first, other = await shared_secret(engine, "a"), await shared_secret(engine, "b")

    assert await shared_secret(engine, "a") == first
    assert len(first) == 32
    assert first != other


async def test_text_sorts_by_code_point(database: Database) -> None:
    names = ["z.a", "a_b", "a.b", "a-b", "a0", "b"]
    for name in names:
        namespace = _namespace(name)

        async def add(transaction: Transaction, namespace: Namespace = namespace) -> None:
            await NamespaceRepository(transaction).add(namespace)

        await database.write(add)

    assert await _names(database) == sorted(names)

"""A capability of another package is a full part of a server, and no file of the server knows it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from tests.support.fsck import check_running
from tests.support.registry import RunningRegistry, refused, running_registry
from tests.support.requests import NAMESPACE, request_id
from tests.toy import CAPABILITY, contract

from modelyard.v1 import events_pb2
from modelyard_server import offline
from modelyard_server.app import CAPABILITIES
from modelyard_server.blobs.local import LocalStore
from modelyard_server.config import Settings
from modelyard_server.db import schema

WITH_TOY = (*CAPABILITIES, CAPABILITY)
TODO = f"{NAMESPACE}/notes/todo"


@pytest.fixture
async def toy_yard(database_url: str, tmp_path: Path) -> AsyncIterator[RunningRegistry]:
    async with running_registry(database_url, tmp_path / "yard", capabilities=WITH_TOY) as running:
        yield running


async def _call(yard: RunningRegistry, method: str, request: Any) -> Any:
    path = f"/{contract.SERVICE.full_name}/{method}"
    call = yard.channel.unary_unary(
        path, request_serializer=type(request).SerializeToString, response_deserializer=contract.Note.FromString
    )
    return await call(request)


async def _create(yard: RunningRegistry) -> Any:
    request = contract.CreateNoteRequest(parent=NAMESPACE, note_id="todo", text="write", request_id=request_id())
    created = await _call(yard, "CreateNote", request)
    assert await _call(yard, "CreateNote", request) == created, "its retry took effect again"
    return created


async def _types(yard: RunningRegistry) -> list[str]:
    listed = await yard.events.ListEvents(events_pb2.ListEventsRequest(parent=NAMESPACE, filter='type = "note.*"'))
    return [event.type for event in listed.events]


async def test_it_is_served_and_logged(toy_yard: RunningRegistry) -> None:
    created = await _create(toy_yard)

    assert (created.name, created.text) == (TODO, "write")
    assert await _call(toy_yard, "GetNote", contract.GetNoteRequest(name=TODO)) == created
    got = await refused(_call(toy_yard, "CreateNote", contract.CreateNoteRequest(parent="x")))
    assert got.fields == ["parent", "note_id"]
    request = events_pb2.ListEventsRequest(parent=NAMESPACE, filter="type = note.created", include_payload=True)
    (event,) = (await toy_yard.events.ListEvents(request)).events
    assert json.loads(event.payload)["snapshot"]["text"] == "write"


async def test_it_is_watched_by_its_types(toy_yard: RunningRegistry) -> None:
    await _create(toy_yard)
    request = events_pb2.WatchEventsRequest(parent=NAMESPACE, types=["note.*"], start_revision=1)

    async for response in toy_yard.events.WatchEvents(request):
        if response.events:
            assert [event.resource for event in response.events] == [TODO]
            break


async def _damage(yard: RunningRegistry, statement: str) -> None:
    await yard.engine.migrate(lambda connection: connection.execute(text(statement)))


async def test_fsck_checks_it(toy_yard: RunningRegistry) -> None:
    await _create(toy_yard)
    report = await check_running(toy_yard, WITH_TOY)
    assert (report.clean, report.checked["notes"]) == (True, 1)

    for damage, kind in (("UPDATE notes SET text = 'x'", "NOT_LOGGED"), ("DELETE FROM notes", "ROW_MISSING")):
        await _damage(toy_yard, damage)
        report = await check_running(toy_yard, WITH_TOY)
        assert [(fault.kind, fault.resource) for fault in report.faults] == [(kind, TODO)]


async def test_it_is_swept(toy_yard: RunningRegistry) -> None:
    await _create(toy_yard)
    assert (await toy_yard.app.sweeper.sweep())["notes"] == 0
    toy_yard.clock.advance(2 * 86_400)

    assert (await toy_yard.app.sweeper.sweep())["notes"] == 1

    assert await _types(toy_yard) == ["note.created", "note.expired"]
    assert (await check_running(toy_yard, WITH_TOY)).clean


async def test_its_migrations_follow_those_of_the_server(tmp_path: Path) -> None:
    values: dict[str, Any] = {"data_dir": tmp_path / "data"}
    settings = Settings(**values)

    assert await offline.migrate(settings) == (None, schema.head())
    assert await offline.migrate(settings, WITH_TOY) == (schema.head(), "toy_0001")

    await (await LocalStore.open(settings.data_dir)).close()
    report = await offline.check(settings, read_data=False, progress=lambda _what, _done: None, capabilities=WITH_TOY)
    assert (report.clean, report.checked["notes"]) == (True, 0)
    with pytest.raises(schema.SchemaError, match="which this release does not know"):
        await offline.check(settings, read_data=False, progress=lambda _what, _done: None)

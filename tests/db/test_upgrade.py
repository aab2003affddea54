"""A registry of schema 0003, with all kinds of resources and a compacted log, upgrades and goes on."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.support import old_schema
from tests.support.fsck import check_running
from tests.support.postgres import Postgres
from tests.support.registry import RunningRegistry, running_registry

from modelyard.v1 import events_pb2
from modelyard.v1 import registry_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.db import schema
from modelyard_server.db.engines.factory import create_engine, parse_url, sqlite_url

FRAUD = "namespaces/team/models/fraud"
CANDIDATE = f"{FRAUD}/aliases/candidate"
_AFTERWARDS = datetime(2027, 1, 1, tzinfo=UTC)
"""Later than all events of that registry."""
NAMESPACES = ("namespaces/default", "namespaces/team")


@pytest.fixture(params=["sqlite", "postgresql"])
async def upgraded(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RunningRegistry]:
    """A server of this release on that registry, on each dialect."""
    if request.param == "sqlite":
        database_url, url = "sqlite", sqlite_url(tmp_path / "test.db")
    else:
        cluster: Postgres = request.getfixturevalue("postgres")
        database_url = cluster.create()
        url = parse_url(database_url)
    old_schema.write_files(tmp_path)
    engine = create_engine(url)
    await engine.migrate(old_schema.fill)
    assert await schema.upgrade(engine) == ("0003", schema.head())
    await engine.dispose()
    async with running_registry(database_url, tmp_path) as running:
        yield running


async def _events(yard: RunningRegistry, parent: str) -> list[events_pb2.Event]:
    request = events_pb2.ListEventsRequest(parent=parent, page_size=1000, include_payload=True)
    return list((await yard.events.ListEvents(request)).events)


async def test_no_hash_changes_and_every_log_verifies(upgraded: RunningRegistry) -> None:
    for parent in NAMESPACES:
        verdict = await upgraded.events.VerifyEvents(events_pb2.VerifyEventsRequest(parent=parent))
        assert (verdict.broken_revision, verdict.fault) == (0, "")
        stored = [event.hash for event in await _events(upgraded, parent)]
        keys = {"namespaces/default": 1, "namespaces/team": 2}
        old = [row for row in old_schema.dump()["tables"]["events"] if row["namespace_key"] == keys[parent]]
        assert stored == [row["hash"] for row in old][-len(stored) :]


async def test_it_is_consistent(upgraded: RunningRegistry) -> None:
    report = await check_running(upgraded)

    assert report.clean, report.faults


async def test_events_are_told_with_their_snapshots(upgraded: RunningRegistry) -> None:
    events = await _events(upgraded, "namespaces/team")

    assert {event.WhichOneof("snapshot") for event in events} == {
        *("namespace", "model", "version", "alias", "evaluation", "deployment", "webhook"),
    }
    assert all("schema" not in json.loads(event.payload) for event in events)
    first = next(event for event in events if event.type == "version.created")
    assert first.version.params["layers"].int_value == 2**53 + 1
    assert first.version.params["low"].int_value == -(2**63)


async def test_aliases_and_their_history_answer(upgraded: RunningRegistry) -> None:
    upgraded.clock.time = _AFTERWARDS
    version = await upgraded.registry.ResolveVersion(rpc.ResolveVersionRequest(reference="team/fraud@candidate"))
    moves = [event for event in await _events(upgraded, CANDIDATE) if event.type.startswith("alias.")]
    then = await upgraded.registry.GetAlias(rpc.GetAliasRequest(name=CANDIDATE, time=moves[0].time))

    assert version.version.name == moves[-1].alias.version
    assert then.version == f"{FRAUD}/versions/1"


async def test_it_goes_on_from_there(upgraded: RunningRegistry) -> None:
    before = await _events(upgraded, "namespaces/team")
    alias = pb.Alias(name=CANDIDATE, version=f"{FRAUD}/versions/1")
    await upgraded.registry.SetAlias(rpc.SetAliasRequest(alias=alias))
    back = await upgraded.registry.RollbackAlias(rpc.RollbackAliasRequest(name=CANDIDATE))
    await upgraded.registry.CreateModel(rpc.CreateModelRequest(parent="namespaces/team", model_id="new"))

    after = (await _events(upgraded, "namespaces/team"))[len(before) :]

    assert back.version != alias.version
    assert [json.loads(event.payload)["schema"] for event in after] == [1, 1, 1]
    assert after[0].previous_hash == before[-1].hash
    report = await check_running(upgraded)
    assert report.clean, report.faults

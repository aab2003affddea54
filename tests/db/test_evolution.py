"""Fields of events are added, removed and renamed from release to release; each release reads the other's log."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text
from tests.support import evolved
from tests.support.fsck import check_running
from tests.support.registry import RunningRegistry, running_registry
from tests.support.requests import NAMESPACE

from modelyard.v1 import events_pb2
from modelyard.v1 import registry_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.log.encoding import event_hash
from modelyard_server.log.values import Change

REPOSITORY = Path(__file__).parents[2]


def _as_a_later_release(folder: Path, database_url: str, root: Path) -> list[list[str]]:
    """What a server of that release does on the registry; the events as it reads them."""
    evolved.make(folder)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), str(REPOSITORY)])}
    command = [sys.executable, "-m", "tests.support.evolved", database_url, str(root)]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    read: list[list[str]] = json.loads(done.stdout.splitlines()[-1])
    return read


async def _list(yard: RunningRegistry) -> Sequence[events_pb2.Event]:
    request = events_pb2.ListEventsRequest(parent=NAMESPACE, include_payload=True)
    return (await yard.events.ListEvents(request)).events


async def _watch(yard: RunningRegistry, last: int) -> list[events_pb2.Event]:
    request = events_pb2.WatchEventsRequest(parent=NAMESPACE, start_revision=1, include_payload=True)
    found: list[events_pb2.Event] = []
    async for response in yard.events.WatchEvents(request):
        found += response.events
        if response.revision >= last:
            break
    return found


async def _add_event_of_an_unknown_kind(yard: RunningRegistry) -> None:
    change = Change(
        namespace_key=1,
        schema=9,
        type="policy.created",
        resource=f"{NAMESPACE}/policies/p",
        actor="anna",
        request_id="",
        reason="",
        time=datetime(2030, 1, 1, tzinfo=UTC),
        changes={},
        snapshot={"rules": [0.1, None, {}]},
    )

    async def work(transaction: Transaction) -> None:
        transaction.record(change)

    await yard.database.write(work)


async def test_two_releases_read_and_verify_one_log(database_url: str, tmp_path: Path) -> None:
    root = tmp_path / "yard"
    old = pb.Model(display_name="Old", owner="us", annotations={"a": "b"})
    async with running_registry(database_url, root) as yard:
        await yard.registry.CreateModel(rpc.CreateModelRequest(parent=NAMESPACE, model_id="old", model=old))
        before = await _list(yard)

    later = await asyncio.to_thread(_as_a_later_release, tmp_path / "later", database_url, root)

    types = ["namespace.created", "model.created", "model.created", "model.archived"]
    assert [type_ for type_, _, _ in later] == types
    assert [owner for _, _, owner in later] == ["", "us", "them", "us"]
    assert [hash_ for _, hash_, _ in later[:2]] == [event.hash for event in before]
    async with running_registry(database_url, root) as yard:
        await _add_event_of_an_unknown_kind(yard)
        report = await check_running(yard)
        assert report.clean, report.faults
        verdict = await yard.events.VerifyEvents(events_pb2.VerifyEventsRequest(parent=NAMESPACE))
        assert (verdict.verified_revision, verdict.fault) == (5, "")
        listed = await _list(yard)
        assert await _watch(yard, 5) == listed
    assert [event.type for event in listed] == [*types, "policy.created"]
    assert [event.hash for event in listed] == [event_hash(event.payload) for event in listed]
    snapshots = [json.loads(event.payload)["snapshot"] for event in listed]
    assert (snapshots[2]["steward"], snapshots[2]["titled"]) == ("them", True)
    assert snapshots[4] == {"rules": [0.1, None, {}]}
    assert [event.WhichOneof("snapshot") for event in listed] == ["namespace", "model", "model", "model", None]
    assert listed[3].model.description == "changed"


async def test_a_row_that_differs_is_found_whatever_the_schema_of_its_event(database_url: str, tmp_path: Path) -> None:
    root = tmp_path / "yard"
    async with running_registry(database_url, root) as yard:
        await yard.registry.CreateModel(rpc.CreateModelRequest(parent=NAMESPACE, model_id="old", model=pb.Model()))
    await asyncio.to_thread(_as_a_later_release, tmp_path / "later", database_url, root)
    async with running_registry(database_url, root) as yard:
        damage = "UPDATE models SET description = 'other' WHERE id = 'old'"
        await yard.engine.migrate(lambda connection: connection.execute(text(damage)))

        report = await check_running(yard)

    assert {(fault.kind, fault.resource) for fault in report.faults} == {("NOT_LOGGED", f"{NAMESPACE}/models/old")}

"""The log: listed, told as history, verified, compacted."""

from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta

import grpc
import pytest
from sqlalchemy import text
from tests.support.registry import RunningRegistry, refused
from tests.support.requests import MODEL, NAMESPACE, commit, make_model, request_id

from modelyard.v1 import events_pb2 as rpc
from modelyard.v1 import registry_pb2 as registry
from modelyard.v1 import resources_pb2 as pb

PRODUCTION = f"{MODEL}/aliases/production"


async def promote(yard: RunningRegistry, number: int, reason: str = "", name: str = PRODUCTION) -> pb.Alias:
    yard.clock.advance(60)
    version = f"{name.partition('/aliases/')[0]}/versions/{number}"
    request = registry.SetAliasRequest(alias=pb.Alias(name=name, version=version), reason=reason)
    return await yard.registry.SetAlias(request)


async def roll_back(yard: RunningRegistry, **fields: object) -> pb.Alias:
    yard.clock.advance(60)
    request = registry.RollbackAliasRequest(name=PRODUCTION, request_id=request_id(), **fields)  # type: ignore[arg-type]
    return await yard.registry.RollbackAlias(request)


async def three_versions(yard: RunningRegistry) -> None:
    await make_model(yard)
    for content in (b"one", b"two", b"three"):
        await commit(yard, content)


async def events(yard: RunningRegistry, parent: str = NAMESPACE, **more: object) -> Sequence[rpc.Event]:
    request = rpc.ListEventsRequest(parent=parent, **more)  # type: ignore[arg-type]
    return (await yard.events.ListEvents(request)).events


async def types(yard: RunningRegistry, parent: str = NAMESPACE, **more: object) -> list[str]:
    return [event.type for event in await events(yard, parent, **more)]


async def test_every_change_is_told_in_order(yard: RunningRegistry) -> None:
    await make_model(yard)
    await commit(yard, b"one")
    await commit(yard, b"two")
    await promote(yard, 1, "first")
    await promote(yard, 2, "better")
    await yard.registry.DeleteAlias(registry.DeleteAliasRequest(name=PRODUCTION, reason="gone"))

    told = await events(yard)

    assert [event.revision for event in told] == list(range(1, 8))
    assert [event.type for event in told] == [
        *("namespace.created", "model.created", "version.created", "version.created"),
        *("alias.created", "alias.moved", "alias.deleted"),
    ]
    assert [(event.actor, event.reason) for event in told[4:]] == [
        ("anonymous", reason) for reason in ("first", "better", "gone")
    ]
    moved = told[5]
    assert (moved.resource, moved.alias.version) == (PRODUCTION, f"{MODEL}/versions/2")
    assert moved.changes["version"].before.string_value == f"{MODEL}/versions/1"
    assert moved.changes["version"].after.string_value == f"{MODEL}/versions/2"
    assert told[3].version.number == 2
    assert not told[3].version.files
    assert [event.previous_hash for event in told[1:]] == [event.hash for event in told[:-1]]


async def test_events_are_listed_by_place_filter_and_order(yard: RunningRegistry) -> None:
    await three_versions(yard)
    await make_model(yard, "fraud-2")
    await promote(yard, 1)
    await promote(yard, 3)

    assert await types(yard, MODEL) == ["model.created", *["version.created"] * 3, "alias.created", "alias.moved"]
    assert await types(yard, f"{MODEL}/versions/2") == ["version.created"]
    assert await types(yard, PRODUCTION, order_by="revision desc") == ["alias.moved", "alias.created"]
    assert await types(yard, filter='type = "model.*"') == ["model.created", "model.created"]
    assert await types(yard, filter="type = alias.moved AND time > now-1m OR revision = 1") == ["alias.moved"]
    assert await types(yard, "namespaces/default", filter="actor = nobody") == []


async def test_pages_of_events_join_to_the_whole(yard: RunningRegistry) -> None:
    await three_versions(yard)
    for order in ("", "revision desc"):
        found: list[int] = []
        request = rpc.ListEventsRequest(parent=NAMESPACE, page_size=2, order_by=order)
        while True:
            page = await yard.events.ListEvents(request)
            found += [event.revision for event in page.events]
            request.page_token = page.next_page_token
            if not page.next_page_token:
                break
        assert found == sorted(range(1, 6), reverse=bool(order))


# What was


async def test_what_was_in_production_then(yard: RunningRegistry) -> None:
    await three_versions(yard)
    moments: list[datetime] = []
    for number in (1, 3, 2):
        await promote(yard, number)
        moments.append(yard.clock.time)
    yard.clock.advance(60)
    await yard.registry.DeleteAlias(registry.DeleteAliasRequest(name=PRODUCTION))

    async def at(time: datetime) -> str:
        request = registry.GetAliasRequest(name=PRODUCTION)
        request.time.FromDatetime(time)
        return (await yard.registry.GetAlias(request)).version.rpartition("/")[2]

    assert [await at(moment + timedelta(seconds=30)) for moment in moments] == ["1", "3", "2"]
    assert [await at(moment) for moment in moments] == ["1", "3", "2"]
    for nowhere in (moments[0] - timedelta(seconds=1), yard.clock.time):
        request = registry.GetAliasRequest(name=PRODUCTION)
        request.time.FromDatetime(nowhere)
        got = await refused(yard.registry.GetAlias(request))
        assert (got.code, got.reason) == (grpc.StatusCode.NOT_FOUND, "ALIAS_NOT_FOUND")


async def test_a_roll_back_goes_back_step_by_step(yard: RunningRegistry) -> None:
    await three_versions(yard)
    for number in (1, 2, 3):
        await promote(yard, number)

    back = await roll_back(yard, reason="latency")
    assert back.version == f"{MODEL}/versions/2"
    assert (await roll_back(yard)).version == f"{MODEL}/versions/1"
    got = await refused(roll_back_call(yard))
    assert (got.code, got.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NOTHING_TO_ROLL_BACK")
    await promote(yard, 3)
    assert (await roll_back(yard)).version == f"{MODEL}/versions/1"

    told = await events(yard, PRODUCTION, filter="type = alias.rolled_back")
    assert [(event.reason, event.alias.version.rpartition("/")[2]) for event in told] == [
        ("latency", "2"),
        ("", "1"),
        ("", "1"),
    ]


def roll_back_call(yard: RunningRegistry, **fields: str) -> Awaitable[pb.Alias]:
    return yard.registry.RollbackAlias(registry.RollbackAliasRequest(name=PRODUCTION, **fields))  # type: ignore[arg-type]


async def test_a_roll_back_is_a_compare_and_set_and_can_be_tried(yard: RunningRegistry) -> None:
    await three_versions(yard)
    await promote(yard, 1)
    stale = (await promote(yard, 2)).etag
    current = await promote(yard, 3)

    got = await refused(roll_back_call(yard, etag=stale))
    assert (got.code, got.reason) == (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    tried = await roll_back(yard, validate_only=True)
    assert tried.version == f"{MODEL}/versions/2"
    assert await yard.registry.GetAlias(registry.GetAliasRequest(name=PRODUCTION)) == current

    again = registry.RollbackAliasRequest(name=PRODUCTION, etag=current.etag, request_id=request_id())
    assert await yard.registry.RollbackAlias(again) == await yard.registry.RollbackAlias(again)


async def test_nothing_goes_back_to_what_is_deleted(yard: RunningRegistry) -> None:
    await three_versions(yard)
    await promote(yard, 1)
    await promote(yard, 2)
    await yard.registry.DeleteVersion(registry.DeleteVersionRequest(name=f"{MODEL}/versions/1"))

    got = await refused(roll_back_call(yard))

    assert (got.code, got.reason) == (grpc.StatusCode.NOT_FOUND, "VERSION_DELETED")


# Verified


async def verdict(yard: RunningRegistry, start: int = 0) -> rpc.VerifyEventsResponse:
    return await yard.events.VerifyEvents(rpc.VerifyEventsRequest(parent=NAMESPACE, start_revision=start))


async def test_a_sound_log_is_verified(yard: RunningRegistry) -> None:
    await three_versions(yard)
    told = await events(yard)

    whole, rest = await verdict(yard), await verdict(yard, 4)

    assert (whole.verified_revision, whole.hash, whole.more, whole.broken_revision) == (5, told[-1].hash, False, 0)
    assert rest.hash == whole.hash


@pytest.mark.parametrize(
    ("damage", "revision", "fault"),
    [
        (
            "UPDATE events SET actor = 'mallory' WHERE revision = 3",
            3,
            "is not what was written: its columns actor are not as its bytes",
        ),
        ("UPDATE events SET hash = 'f' WHERE revision = 3", 3, "is not what was written"),
        (
            "UPDATE events SET payload = (SELECT payload FROM events WHERE revision = 2) WHERE revision = 3",
            3,
            "is not what was written",
        ),
        ("DELETE FROM events WHERE revision = 3", 3, "is missing"),
        ("DELETE FROM events WHERE revision = 5", 5, "is missing"),
        ("UPDATE log_heads SET hash = 'f'", 5, "does not have the hash that the log ends with"),
    ],
)
async def test_the_first_bad_revision_is_named(yard: RunningRegistry, damage: str, revision: int, fault: str) -> None:
    await three_versions(yard)
    await yard.engine.migrate(lambda connection: connection.execute(text(damage)))

    found = await verdict(yard)

    assert (found.broken_revision, found.fault) == (revision, fault)
    assert not found.more


# Compacted


async def test_what_is_compacted_is_gone_and_says_so(yard: RunningRegistry) -> None:
    await three_versions(yard)
    await promote(yard, 1)
    await promote(yard, 2)
    await promote(yard, 3)
    hash_ = (await verdict(yard)).hash

    done = await yard.events.CompactEvents(rpc.CompactEventsRequest(parent=NAMESPACE, revision=7, reason="retention"))
    page = await yard.events.ListEvents(rpc.ListEventsRequest(parent=NAMESPACE))

    assert (done.compacted_revision, page.compacted_revision) == (7, 7)
    assert [(event.revision, event.type, event.reason) for event in page.events] == [
        (8, "alias.moved", ""),
        (9, "log.compacted", "retention"),
    ]
    await yard.app.sweeper.sweep()
    assert await yard.sql("SELECT revision FROM events ORDER BY 1") == [(8,), (9,)]
    assert (await verdict(yard, 8)).verified_revision == 9
    assert (await events(yard))[0].hash == hash_

    past = registry.GetAliasRequest(name=PRODUCTION)
    past.time.FromDatetime(yard.clock.time - timedelta(seconds=90))
    for call in (yard.registry.GetAlias(past), yard.events.VerifyEvents(_from(7))):
        got = await refused(call)
        assert (got.code, got.reason) == (grpc.StatusCode.OUT_OF_RANGE, "REVISION_COMPACTED")
        assert got.info.metadata["oldestRevision"] == "8"
    assert (await roll_back(yard)).version == f"{MODEL}/versions/2"
    got = await refused(roll_back_call(yard))
    assert (got.code, got.reason) == (grpc.StatusCode.OUT_OF_RANGE, "REVISION_COMPACTED")


def _from(revision: int) -> rpc.VerifyEventsRequest:
    return rpc.VerifyEventsRequest(parent=NAMESPACE, start_revision=revision)


async def test_compacting_twice_is_compacting_once_and_never_ahead(yard: RunningRegistry) -> None:
    await three_versions(yard)
    request = rpc.CompactEventsRequest(parent=NAMESPACE, revision=2)
    await yard.events.CompactEvents(request)
    await yard.events.CompactEvents(request)
    request.revision = 1
    assert (await yard.events.CompactEvents(request)).compacted_revision == 2
    assert await types(yard, filter="type = log.compacted") == ["log.compacted"]

    request.revision = 99
    got = await refused(yard.events.CompactEvents(request))
    assert (got.code, got.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert "99 lies ahead of the log" in got.message


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (rpc.ListEventsRequest(parent="models/x"), "parent"),
        (rpc.ListEventsRequest(parent=NAMESPACE, filter="hash = x"), "filter"),
        (rpc.ListEventsRequest(parent=NAMESPACE, order_by="time"), "order_by"),
        (rpc.VerifyEventsRequest(parent=MODEL), "parent"),
        (rpc.VerifyEventsRequest(parent=NAMESPACE, start_revision=-1), "start_revision"),
        (rpc.CompactEventsRequest(parent=NAMESPACE), "revision"),
        (rpc.CompactEventsRequest(parent=NAMESPACE, revision=-1), "revision"),
        (rpc.CompactEventsRequest(parent=NAMESPACE, revision=1, reason="x" * 4097), "reason"),
    ],
    ids=str,
)
@pytest.mark.asyncio(loop_scope="module")
async def test_wrong_requests_are_refused(fraud_yard: RunningRegistry, request_: object, field: str) -> None:
    name = type(request_).__name__.removesuffix("Request")
    got = await refused(getattr(fraud_yard.events, name)(request_))

    assert (got.code, got.reason, got.fields) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", [field])


@pytest.mark.parametrize("method", ["ListEvents", "VerifyEvents"])
@pytest.mark.asyncio(loop_scope="module")
async def test_a_missing_namespace_is_not_found(fraud_yard: RunningRegistry, method: str) -> None:
    request = getattr(rpc, f"{method}Request")(parent="namespaces/nowhere")
    got = await refused(getattr(fraud_yard.events, method)(request))

    assert (got.code, got.reason) == (grpc.StatusCode.NOT_FOUND, "NAMESPACE_NOT_FOUND")

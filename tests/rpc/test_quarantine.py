"""Quarantine: the emergency brake of a version, and its release."""

import grpc
import pytest
from tests.support.calls import quarantine
from tests.support.registry import RunningRegistry, refused
from tests.support.requests import MODEL, NAMESPACE, commit, make_model, read

from modelyard.v1 import events_pb2
from modelyard.v1 import registry_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb

V1 = f"{MODEL}/versions/1"
State = pb.Version.State


async def release(yard: RunningRegistry, reason: str = "false alarm") -> pb.Version:
    return await yard.registry.ReleaseVersion(rpc.ReleaseVersionRequest(name=V1, reason=reason))


async def deprecate(yard: RunningRegistry) -> pb.Version:
    return await yard.registry.DeprecateVersion(rpc.DeprecateVersionRequest(name=V1, reason="old"))


async def state_of(yard: RunningRegistry) -> str:
    found = await yard.registry.GetVersion(rpc.GetVersionRequest(name=V1, view=rpc.VERSION_VIEW_BASIC))
    return State.Name(found.state)


async def refuses_to_resolve(yard: RunningRegistry, reference: str) -> bool:
    got = await refused(yard.registry.ResolveVersion(rpc.ResolveVersionRequest(reference=reference)))
    return (got.code, got.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "QUARANTINED")


async def test_it_works_while_aliases_point_at_the_version_and_leaves_them(yard: RunningRegistry) -> None:
    await make_model(yard)
    made = await commit(yard, aliases=["production"])

    await quarantine(yard, V1)

    for reference in ("fraud@production", "fraud", "fraud@1", f"fraud@{made.manifest_digest}"):
        assert await refuses_to_resolve(yard, reference)
    alias = await yard.registry.GetAlias(rpc.GetAliasRequest(name=f"{MODEL}/aliases/production"))
    assert alias.version == V1
    got = await yard.registry.GetVersion(rpc.GetVersionRequest(name=V1))
    assert (got.state, got.quarantine_reason) == (State.STATE_QUARANTINED, "malware")


async def test_the_newest_version_that_is_ready_steps_in_for_latest(yard: RunningRegistry) -> None:
    await make_model(yard)
    await commit(yard, b"one")
    await commit(yard, b"two")

    await quarantine(yard, f"{MODEL}/versions/2")

    resolved = await yard.registry.ResolveVersion(rpc.ResolveVersionRequest(reference="fraud@latest"))
    assert resolved.version.number == 1


@pytest.mark.parametrize("deprecated", [False, True])
async def test_a_release_returns_to_the_state_before(yard: RunningRegistry, deprecated: bool) -> None:
    await make_model(yard)
    await commit(yard, aliases=["production"])
    if deprecated:
        await deprecate(yard)
    before = await state_of(yard)
    await quarantine(yard, V1)

    released = await release(yard)

    assert State.Name(released.state) == before == await state_of(yard)
    assert released.quarantine_reason == ""
    assert released.deprecation_reason == ("old" if deprecated else "")
    assert await read(yard, V1) == b"weights"
    resolved = await yard.registry.ResolveVersion(rpc.ResolveVersionRequest(reference="fraud@production"))
    assert resolved.version.name == V1


async def test_a_deletion_does_not_end_a_quarantine(yard: RunningRegistry) -> None:
    await make_model(yard)
    await commit(yard)
    await quarantine(yard, V1)

    await yard.registry.DeleteVersion(rpc.DeleteVersionRequest(name=V1))
    restored = await yard.registry.UndeleteVersion(rpc.UndeleteVersionRequest(name=V1))

    assert restored.state == State.STATE_QUARANTINED
    assert (await release(yard)).state == State.STATE_READY


async def test_no_state_allows_it_twice_or_a_release_without_it(yard: RunningRegistry) -> None:
    await make_model(yard)
    await commit(yard)

    got = await refused(release(yard))
    assert (got.reason, got.info.metadata["state"]) == ("ILLEGAL_TRANSITION", "READY")
    await quarantine(yard, V1)
    for call in (quarantine(yard, V1), deprecate(yard)):
        got = await refused(call)
        assert (got.reason, got.info.metadata["state"]) == ("ILLEGAL_TRANSITION", "QUARANTINED")


async def test_a_reason_is_required_and_logged(yard: RunningRegistry) -> None:
    await make_model(yard)
    await commit(yard)
    for call in (yard.registry.QuarantineVersion(rpc.QuarantineVersionRequest(name=V1)), release(yard, "")):
        got = await refused(call)
        assert (got.code, got.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["reason"])

    await quarantine(yard, V1)
    await release(yard)

    request = events_pb2.ListEventsRequest(
        parent=NAMESPACE, filter='resource = "*/versions/1" AND type != version.created'
    )
    events = (await yard.events.ListEvents(request)).events
    assert [(event.type, event.reason) for event in events] == [
        ("version.quarantined", "malware"),
        ("version.released", "false alarm"),
    ]
    assert events[0].changes["live_state"].before.string_value == "READY"
    assert events[0].version.state == State.STATE_QUARANTINED

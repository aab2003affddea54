"""Who serves what: registered with a lease, kept by heartbeats, ended by silence; and no version goes from under it."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from tests.support.calls import quarantine
from tests.support.registry import RunningRegistry, refused, running_registry
from tests.support.requests import MODEL, NAMESPACE, commit, digest_of, make_model, request_id

from modelyard.v1 import deployments_pb2 as rpc
from modelyard.v1 import events_pb2
from modelyard.v1 import registry_pb2 as registry
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.calls.limits import Limits

V1, V2 = (f"{MODEL}/versions/{number}" for number in (1, 2))
OTHER = digest_of(b"other bytes")
Code = grpc.StatusCode


async def two_versions(yard: RunningRegistry) -> None:
    await make_model(yard)
    await commit(yard, b"one", aliases=["production"])
    await commit(yard, b"two")


def deployment(version: str = V1, service: str = "fraud-api", **fields: Any) -> pb.Deployment:
    return pb.Deployment(version=version, service=service, **fields)


async def register(
    yard: RunningRegistry, given: pb.Deployment, parent: str = MODEL, **more: Any
) -> rpc.RegisterDeploymentResponse:
    return await yard.deployments.RegisterDeployment(
        rpc.RegisterDeploymentRequest(parent=parent, deployment=given, **more)
    )


async def beat(yard: RunningRegistry, registered: rpc.RegisterDeploymentResponse, **more: Any) -> pb.Deployment:
    request = rpc.HeartbeatDeploymentRequest(name=registered.deployment.name, lease=registered.lease, **more)
    return await yard.deployments.HeartbeatDeployment(request)


async def get(yard: RunningRegistry, name: str) -> pb.Deployment:
    return await yard.deployments.GetDeployment(rpc.GetDeploymentRequest(name=name))


async def listed(yard: RunningRegistry, text: str = "", parent: str = MODEL) -> list[str]:
    request = rpc.ListDeploymentsRequest(parent=parent, filter=text)
    return [each.service for each in (await yard.deployments.ListDeployments(request)).deployments]


async def logged(yard: RunningRegistry) -> list[str]:
    request = events_pb2.ListEventsRequest(parent=NAMESPACE, filter='type = "deployment.*"')
    return [event.type.partition(".")[2] for event in (await yard.events.ListEvents(request)).events]


def delete_version(yard: RunningRegistry, name: str = V1) -> Any:
    return yard.registry.DeleteVersion(registry.DeleteVersionRequest(name=name))


# Leases


async def test_a_consumer_is_registered_read_back_and_logged(yard: RunningRegistry) -> None:
    await two_versions(yard)
    digest = (await yard.registry.GetVersion(registry.GetVersionRequest(name=V1))).manifest_digest

    made = await register(
        yard,
        deployment(environment="eu", instance="pod-1", observed_digest=digest, reference="fraud@production"),
    )

    told = made.deployment
    assert await get(yard, told.name) == told
    assert (told.service, told.environment, told.instance, told.version) == ("fraud-api", "eu", "pod-1", V1)
    assert (told.manifest_digest, told.observed_digest, told.mismatched) == (digest, digest, False)
    assert (told.reference, told.created_by) == ("default/fraud@production", "anonymous")
    assert told.expire_time.seconds - told.heartbeat_time.seconds == 90
    request = events_pb2.ListEventsRequest(parent=MODEL, order_by="revision desc", page_size=1)
    (event,) = (await yard.events.ListEvents(request)).events
    assert (event.type, event.resource) == ("deployment.created", told.name)
    assert not event.deployment.HasField("expire_time")
    assert made.lease
    assert made.lease not in str(event)


async def test_it_lives_as_long_as_it_is_heard_of(yard: RunningRegistry) -> None:
    await two_versions(yard)
    made = await register(yard, deployment(), ttl=Duration(seconds=30))
    before = await yard.dump()
    for _ in range(3):
        yard.clock.advance(29)
        heard = await beat(yard, made)
    assert (heard.etag, heard.update_time) == (made.deployment.etag, made.deployment.update_time)
    after = await yard.dump()
    assert {table for table in before if before[table] != after[table]} == {"deployments"}

    yard.clock.advance(30)

    for call in (get(yard, made.deployment.name), beat(yard, made)):
        got = await refused(call)
        assert (got.code, got.reason) == (Code.NOT_FOUND, "DEPLOYMENT_NOT_FOUND")
    assert await listed(yard) == []
    assert await logged(yard) == ["created"]
    await yard.app.sweeper.sweep()
    assert await logged(yard) == ["created", "expired"]
    assert await yard.sql("SELECT * FROM deployments") == []


async def test_a_clock_that_is_put_back_keeps_no_dead_consumer_alive(yard: RunningRegistry) -> None:
    await two_versions(yard)
    alive = await register(yard, deployment(service="alive"))
    await register(yard, deployment(service="dead"))

    yard.clock.advance(-3600)
    await yard.app.sweeper.sweep()

    assert await listed(yard) == ["alive", "dead"], "nobody can tell yet"
    yard.clock.advance(60)
    await beat(yard, alive)
    yard.clock.advance(31)
    assert await listed(yard) == ["alive"]
    await yard.app.sweeper.sweep()
    assert await logged(yard) == ["created", "created", "expired"]


async def test_a_lease_from_while_the_clock_was_ahead_ends_in_time(yard: RunningRegistry) -> None:
    await two_versions(yard)
    first = await register(yard, deployment())
    yard.clock.advance(3600)
    assert (await refused(beat(yard, first))).reason == "DEPLOYMENT_NOT_FOUND"
    again = await register(yard, deployment())
    yard.clock.advance(-3600)
    await yard.app.sweeper.sweep()

    yard.clock.advance(89)
    assert (await get(yard, again.deployment.name)).service == "fraud-api"
    yard.clock.advance(1)
    assert await listed(yard) == []


async def test_the_sweep_ends_all_that_are_silent(yard: RunningRegistry) -> None:
    await two_versions(yard)
    for number in range(120):
        await register(yard, deployment(instance=str(number)))
    yard.clock.advance(60)
    await register(yard, deployment(service="late"))
    yard.clock.advance(31)

    await yard.app.sweeper.sweep()

    assert await listed(yard) == ["late"]
    (counted,) = await yard.sql("SELECT COUNT(*) AS n FROM events WHERE type = 'deployment.expired'")
    assert counted.n == 120


async def test_the_same_consumer_takes_over(yard: RunningRegistry) -> None:
    await two_versions(yard)
    first = await register(yard, deployment(instance="pod-1"))
    second = await register(yard, deployment(instance="pod-1"))
    other = await register(yard, deployment(instance="pod-2"))

    assert second.deployment.name == first.deployment.name != other.deployment.name
    assert second.deployment.etag == first.deployment.etag
    assert second.lease != first.lease
    got = await refused(beat(yard, first))
    assert (got.code, got.reason) == (Code.ABORTED, "LEASE_LOST")
    await beat(yard, second)
    assert await logged(yard) == ["created", "created"]


async def test_one_that_comes_back_after_its_end_is_another(yard: RunningRegistry) -> None:
    await two_versions(yard)
    first = await register(yard, deployment())
    yard.clock.advance(91)

    second = await register(yard, deployment())

    assert second.deployment.uid != first.deployment.uid
    assert await logged(yard) == ["created", "expired", "created"]
    got = await refused(beat(yard, first))
    assert got.reason == "DEPLOYMENT_NOT_FOUND"


async def test_moves_and_mismatches_have_one_event_each(yard: RunningRegistry) -> None:
    await two_versions(yard)
    made = await register(yard, deployment())
    moved = await beat(yard, made, version=V2)
    assert (moved.version, moved.etag != made.deployment.etag) == (V2, True)
    await beat(yard, made, version=V2)
    assert await logged(yard) == ["created", "moved"]

    wrong = await beat(yard, made, observed_digest=OTHER)
    assert (wrong.mismatched, wrong.observed_digest) == (True, OTHER)
    await beat(yard, made, observed_digest=OTHER)
    again = await register(yard, deployment(V2, observed_digest=OTHER))
    assert await logged(yard) == ["created", "moved", "moved", "mismatched"]

    right = await beat(yard, again, version=V1)
    assert (right.mismatched, right.observed_digest) == (False, "")
    await register(yard, deployment(service="new", observed_digest=OTHER))
    assert (await logged(yard))[4:] == ["moved", "created", "mismatched"]


async def test_a_retry_has_the_same_lease(yard: RunningRegistry) -> None:
    await two_versions(yard)
    retry = request_id()
    first = await register(yard, deployment(), request_id=retry)
    await register(yard, deployment())

    assert await register(yard, deployment(), request_id=retry) == first


async def test_a_try_changes_nothing(yard: RunningRegistry) -> None:
    await two_versions(yard)
    before = await yard.dump()

    tried = await register(yard, deployment(), validate_only=True)

    assert (tried.deployment.version, tried.lease) == (V1, "")
    assert await yard.dump() == before


async def test_an_end_can_be_said(yard: RunningRegistry) -> None:
    await two_versions(yard)
    made = await register(yard, deployment())
    lost, name = made.lease, made.deployment.name
    made = await register(yard, deployment())
    for fields, reason in (({"lease": lost}, "LEASE_LOST"), ({"etag": '"old"'}, "ETAG_MISMATCH")):
        got = await refused(yard.deployments.DeleteDeployment(rpc.DeleteDeploymentRequest(name=name, **fields)))
        assert (got.code, got.reason) == (Code.ABORTED, reason)

    ended = await yard.deployments.DeleteDeployment(rpc.DeleteDeploymentRequest(name=name, lease=made.lease))

    assert ended == made.deployment
    assert await logged(yard) == ["created", "deleted"]
    assert (await refused(get(yard, name))).reason == "DEPLOYMENT_NOT_FOUND"


# Nothing goes from under them


async def test_what_is_served_is_not_deleted(yard: RunningRegistry) -> None:
    await two_versions(yard)
    await yard.registry.DeleteAlias(registry.DeleteAliasRequest(name=f"{MODEL}/aliases/production"))
    made = await register(yard, deployment(environment="eu", instance="pod-1"))
    force = registry.DeleteModelRequest(name=MODEL, force=True)
    for call in (delete_version(yard), yard.registry.DeleteModel(force)):
        got = await refused(call)
        assert (got.code, got.reason) == (Code.FAILED_PRECONDITION, "VERSION_IN_USE")
        assert "fraud-api in eu (pod-1)" in got.message
        failure: Any = got.details["PreconditionFailure"]
        assert [(each.type, each.subject) for each in failure.violations] == [("DEPLOYMENT", made.deployment.name)]
    await delete_version(yard, V2)

    yard.clock.advance(91)

    await delete_version(yard)
    assert (await refused(beat(yard, made))).reason == "DEPLOYMENT_NOT_FOUND"
    await yard.registry.DeleteModel(force)


async def test_a_refusal_names_some_of_many(yard: RunningRegistry) -> None:
    await two_versions(yard)
    for number in range(30):
        await register(yard, deployment(V2, instance="x" * 200 + str(number)))

    got = await refused(delete_version(yard, V2))

    assert got.reason == "VERSION_IN_USE"
    assert len(got.message) < 2000


async def test_only_usable_versions_can_be_served(yard: RunningRegistry) -> None:
    await two_versions(yard)
    made = await register(yard, deployment())
    await delete_version(yard, V2)
    for call in (register(yard, deployment(V2)), beat(yard, made, version=V2)):
        got = await refused(call)
        assert (got.code, got.reason) == (Code.NOT_FOUND, "VERSION_DELETED")
    await yard.registry.UndeleteVersion(registry.UndeleteVersionRequest(name=V2))
    await quarantine(yard, V2)
    for call in (register(yard, deployment(V2)), beat(yard, made, version=V2)):
        got = await refused(call)
        assert (got.code, got.reason) == (Code.FAILED_PRECONDITION, "QUARANTINED")
    assert (await get(yard, made.deployment.name)).version == V1


async def test_of_two_at_once_one_has_the_lease(yard: RunningRegistry) -> None:
    await two_versions(yard)

    made = await asyncio.gather(*(register(yard, deployment()) for _ in range(8)))

    assert len({each.deployment.name for each in made}) == 1
    answers = await asyncio.gather(*(beat(yard, each) for each in made), return_exceptions=True)
    assert sum(isinstance(answer, pb.Deployment) for answer in answers) == 1
    assert await logged(yard) == ["created"]


@pytest.mark.parametrize("what", ["version", "model"])
async def test_a_version_is_deleted_or_served_and_never_both(yard: RunningRegistry, what: str) -> None:
    await two_versions(yard)
    live = "SELECT * FROM deployments"
    for number in range(10):
        model = (await make_model(yard, f"m{number}")).name
        version = (await commit(yard, parent=model)).name
        force = registry.DeleteModelRequest(name=model, force=True)
        delete = yard.registry.DeleteModel(force) if what == "model" else delete_version(yard, version)
        calls = [register(yard, deployment(version), model), delete]

        answers = await asyncio.gather(*(calls if number % 2 else calls[::-1]), return_exceptions=True)

        served = any(isinstance(answer, rpc.RegisterDeploymentResponse) for answer in answers)
        assert sum(isinstance(answer, grpc.aio.AioRpcError) for answer in answers) == 1
        assert len(await yard.sql(live)) == served
        yard.clock.advance(91)
        await yard.app.sweeper.sweep()


@pytest.mark.parametrize("what", ["version", "model"])
async def test_a_move_races_with_a_deletion(yard: RunningRegistry, what: str) -> None:
    for number in range(10):
        model = (await make_model(yard, f"m{number}")).name
        first, second = [(await commit(yard, data, parent=model)).name for data in (b"one", b"two")]
        made = await register(yard, deployment(first), model)
        force = registry.DeleteModelRequest(name=model, force=True)
        delete = yard.registry.DeleteModel(force) if what == "model" else delete_version(yard, second)

        answers = await asyncio.gather(beat(yard, made, version=second), delete, return_exceptions=True)

        now = await get(yard, made.deployment.name)
        (kept,) = [a for a in answers if not isinstance(a, BaseException)]
        assert (now.version == second) == isinstance(kept, pb.Deployment)


# Questions


async def three_consumers(yard: RunningRegistry) -> None:
    await two_versions(yard)
    await make_model(yard, "spam")
    await commit(yard, parent=f"{NAMESPACE}/models/spam")
    await register(yard, deployment(service="a", environment="eu", reference="fraud@production"))
    yard.clock.advance(1)
    await register(yard, deployment(V2, service="b", environment="us", reference="default/fraud"))
    await register(
        yard, deployment(f"{NAMESPACE}/models/spam/versions/1", service="c"), parent=f"{NAMESPACE}/models/spam"
    )


async def test_who_runs_version_2(yard: RunningRegistry) -> None:
    await three_consumers(yard)
    everywhere = f"{NAMESPACE}/models/-"
    for text, parent, expected in (
        ("", MODEL, ["a", "b"]),
        ("version = 2", MODEL, ["b"]),
        ("version = 1", everywhere, ["a", "c"]),
        ("environment = eu OR environment = us", MODEL, ["a", "b"]),
        ("NOT environment:*", everywhere, ["c"]),
        ("model = spam", everywhere, ["c"]),
        ('reference = "default/fraud@*"', MODEL, ["a"]),
        ("heartbeat_time < now", MODEL, ["a"]),
        ("service = a AND created_by = anonymous", MODEL, ["a"]),
        ("observed_digest:*", everywhere, []),
    ):
        assert await listed(yard, text, parent) == expected, text
    got = await refused(listed(yard, "color = red"))
    assert got.fields == ["filter"]
    for parent in (f"{NAMESPACE}/models/none", "namespaces/none/models/-"):
        assert (await refused(listed(yard, parent=parent))).code is Code.NOT_FOUND


async def test_lists_go_on_oldest_first(yard: RunningRegistry) -> None:
    await two_versions(yard)
    names = [(await register(yard, deployment(instance=str(number)))).deployment.name for number in range(5)]
    found: list[str] = []
    request = rpc.ListDeploymentsRequest(parent=MODEL, page_size=2)
    while True:
        page = await yard.deployments.ListDeployments(request)
        found += [each.name for each in page.deployments]
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break
    assert found == names


async def test_a_rollout_compares_deployments_with_the_alias(yard: RunningRegistry) -> None:
    await three_consumers(yard)
    await register(yard, deployment(service="no-reference"))
    await register(yard, deployment(V2, service="canary", reference="fraud@canary"))
    await register(yard, deployment(service="tampered", observed_digest=OTHER, environment="eu"))

    async def rollout(alias: str = "production", **more: Any) -> tuple[int, int, list[str]]:
        name = f"{MODEL}/aliases/{alias}"
        answer = await yard.deployments.GetRollout(rpc.GetRolloutRequest(name=name, **more))
        assert answer.alias.name == name
        return answer.matching_count, answer.differing_count, [each.service for each in answer.differing]

    assert await rollout() == (2, 2, ["b", "tampered"])
    assert await rollout(environment="eu") == (1, 1, ["tampered"])
    alias = pb.Alias(name=f"{MODEL}/aliases/canary", version=V2)
    await yard.registry.SetAlias(registry.SetAliasRequest(alias=alias))
    assert await rollout("canary") == (1, 2, ["no-reference", "tampered"])
    assert (await refused(rollout("none"))).reason == "ALIAS_NOT_FOUND"
    yard.clock.advance(91)
    assert await rollout() == (0, 0, [])


# What is wrong is told, all of it


async def test_all_violations_of_a_registration_are_reported(yard: RunningRegistry) -> None:
    await two_versions(yard)
    before = await yard.dump()
    given = pb.Deployment(
        version=f"{NAMESPACE}/models/spam/versions/1",
        environment="a\nb",
        instance="x" * 256,
        observed_digest="sha256:1",
        reference="other/fraud",
    )

    got = await refused(register(yard, given, ttl=Duration(seconds=9), request_id="1"))

    assert (got.code, got.reason) == (Code.INVALID_ARGUMENT, "INVALID_FIELD")
    assert sorted(got.fields) == [
        *("deployment.environment", "deployment.instance", "deployment.observed_digest", "deployment.reference"),
        *("deployment.service", "deployment.version", "request_id", "ttl"),
    ]
    assert await yard.dump() == before


async def test_all_violations_of_a_heartbeat_are_reported(yard: RunningRegistry) -> None:
    name = f"{MODEL}/deployments/{uuid4()}"
    request = rpc.HeartbeatDeploymentRequest(
        name=name, version=f"{NAMESPACE}/models/spam/versions/1", observed_digest="x"
    )

    got = await refused(yard.deployments.HeartbeatDeployment(request))

    assert sorted(got.fields) == ["lease", "observed_digest", "version"]


@pytest.mark.parametrize("seconds", [10, 30 * 86_400])
async def test_a_lease_is_as_long_as_it_is_asked_for(yard: RunningRegistry, seconds: int) -> None:
    await two_versions(yard)
    made = await register(yard, deployment(), ttl=Duration(seconds=seconds))
    yard.clock.advance(seconds - 1)
    await get(yard, made.deployment.name)
    yard.clock.advance(1)
    assert (await refused(get(yard, made.deployment.name))).code is Code.NOT_FOUND


async def test_a_model_has_so_many_deployments_at_most(database_url: str, tmp_path: Path) -> None:
    """Whoever holds up its versions must stay few enough to be ended."""
    async with running_registry(database_url, tmp_path / "yard", limits=Limits(deployments=2)) as yard:
        await two_versions(yard)
        for instance in ("1", "2", "1"):
            await register(yard, deployment(instance=instance))

        got = await refused(register(yard, deployment(instance="3")))

        assert (got.code, got.reason) == (Code.RESOURCE_EXHAUSTED, "TOO_MANY_DEPLOYMENTS")

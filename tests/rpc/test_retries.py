"""A retry takes effect once, whatever was changed in between."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.support.registry import RunningRegistry
from tests.support.requests import MODEL, NAMESPACE, commit, make_model, request_id, store, version_of

from modelyard.v1 import deployments_pb2 as deployments
from modelyard.v1 import registry_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb
from modelyard.v1 import webhooks_pb2

_VERSION = f"{MODEL}/versions/1"
_WEBHOOK = f"{NAMESPACE}/webhooks/ci"
_HOOK = "https://hooks.example.com/x"
_CONSUMER = pb.Deployment(service="fraud-api", version=_VERSION)


async def _delete_deployment(yard: RunningRegistry, retry: str) -> pb.Deployment:
    """The one there is, as it was found before the first try."""
    (name,) = {row.resource for row in await yard.sql("SELECT resource FROM events WHERE type = 'deployment.created'")}
    return await yard.deployments.DeleteDeployment(deployments.DeleteDeploymentRequest(name=name, request_id=retry))


_CALLS: dict[str, Callable[[RunningRegistry, str], Awaitable[Any]]] = {
    "CreateNamespace": lambda y, r: y.registry.CreateNamespace(
        rpc.CreateNamespaceRequest(namespace_id="team", request_id=r)
    ),
    "UpdateNamespace": lambda y, r: y.registry.UpdateNamespace(
        rpc.UpdateNamespaceRequest(namespace=pb.Namespace(name=NAMESPACE, display_name="x"), request_id=r)
    ),
    "CreateModel": lambda y, r: y.registry.CreateModel(
        rpc.CreateModelRequest(parent=NAMESPACE, model_id="other", request_id=r)
    ),
    "UpdateModel": lambda y, r: y.registry.UpdateModel(
        rpc.UpdateModelRequest(model=pb.Model(name=MODEL, labels={"a": "b"}), request_id=r)
    ),
    "DeleteModel": lambda y, r: y.registry.DeleteModel(rpc.DeleteModelRequest(name=MODEL, force=True, request_id=r)),
    "CreateVersion": lambda y, r: y.registry.CreateVersion(
        rpc.CreateVersionRequest(
            parent=MODEL, version=version_of({"x": b"weights"}, metrics={"m": 1.0}), alias_ids=["new"], request_id=r
        )
    ),
    "UpdateVersion": lambda y, r: y.registry.UpdateVersion(
        rpc.UpdateVersionRequest(version=pb.Version(name=_VERSION, description="x"), request_id=r)
    ),
    "DeprecateVersion": lambda y, r: y.registry.DeprecateVersion(
        rpc.DeprecateVersionRequest(name=_VERSION, request_id=r)
    ),
    "DeleteVersion": lambda y, r: y.registry.DeleteVersion(
        rpc.DeleteVersionRequest(name=f"{MODEL}/versions/2", request_id=r)
    ),
    "SetAlias": lambda y, r: y.registry.SetAlias(
        rpc.SetAliasRequest(alias=pb.Alias(name=f"{MODEL}/aliases/p", version=_VERSION), create_only=True, request_id=r)
    ),
    "CreateWebhook": lambda y, r: y.webhooks.CreateWebhook(
        webhooks_pb2.CreateWebhookRequest(
            parent=NAMESPACE, webhook_id="other", webhook=pb.Webhook(url=_HOOK, disabled=True), request_id=r
        )
    ),
    "UpdateWebhook": lambda y, r: y.webhooks.UpdateWebhook(
        webhooks_pb2.UpdateWebhookRequest(webhook=pb.Webhook(name=_WEBHOOK, description="x"), request_id=r)
    ),
    "RotateWebhookSecret": lambda y, r: y.webhooks.RotateWebhookSecret(
        webhooks_pb2.RotateWebhookSecretRequest(name=_WEBHOOK, request_id=r)
    ),
    "DeleteWebhook": lambda y, r: y.webhooks.DeleteWebhook(
        webhooks_pb2.DeleteWebhookRequest(name=_WEBHOOK, request_id=r)
    ),
    "DeleteAlias": lambda y, r: y.registry.DeleteAlias(
        rpc.DeleteAliasRequest(name=f"{MODEL}/aliases/production", request_id=r)
    ),
    "RegisterDeployment": lambda y, r: y.deployments.RegisterDeployment(
        deployments.RegisterDeploymentRequest(parent=MODEL, deployment=_CONSUMER, request_id=r)
    ),
    "DeleteDeployment": _delete_deployment,
}


async def _prepare(yard: RunningRegistry) -> None:
    await make_model(yard)
    await commit(yard, aliases=["production"])
    await commit(yard)
    request = webhooks_pb2.CreateWebhookRequest(
        parent=NAMESPACE, webhook_id="ci", webhook=pb.Webhook(url=_HOOK, disabled=True)
    )
    await yard.webhooks.CreateWebhook(request)


@pytest.mark.parametrize("method", _CALLS)
async def test_a_retry_gets_the_first_answer(yard: RunningRegistry, method: str) -> None:
    await _prepare(yard)
    if method == "DeleteDeployment":
        await _CALLS["RegisterDeployment"](yard, request_id())
    same = request_id()

    first = await _CALLS[method](yard, same)
    yard.clock.advance(60)
    after_first = await yard.dump()
    again = await _CALLS[method](yard, same.upper())

    assert again == first
    assert await yard.dump() == after_first


@pytest.mark.parametrize("method", ["UndeleteModel", "UndeleteVersion"])
async def test_a_retried_restore_gets_the_first_answer(yard: RunningRegistry, method: str) -> None:
    await _prepare(yard)
    same = request_id()
    name = MODEL if method == "UndeleteModel" else f"{MODEL}/versions/2"
    if method == "UndeleteModel":
        await yard.registry.DeleteModel(rpc.DeleteModelRequest(name=name, force=True))
        calls = [yard.registry.UndeleteModel(rpc.UndeleteModelRequest(name=name, request_id=same)) for _ in range(2)]
        assert await calls[0] == await calls[1]
    else:
        await yard.registry.DeleteVersion(rpc.DeleteVersionRequest(name=name))
        restores = [
            yard.registry.UndeleteVersion(rpc.UndeleteVersionRequest(name=name, request_id=same)) for _ in range(2)
        ]
        assert await restores[0] == await restores[1]


async def test_sixteen_retries_at_once_take_effect_once(yard: RunningRegistry) -> None:
    await make_model(yard)
    await store(yard, b"weights")
    same = request_id()

    answers = await asyncio.gather(*(_CALLS["CreateVersion"](yard, same) for _ in range(16)))

    assert all(answer == answers[0] for answer in answers)
    assert len(await yard.sql("SELECT * FROM versions")) == 1


async def test_outcomes_are_forgotten_after_a_day(yard: RunningRegistry) -> None:
    await _prepare(yard)
    same = request_id()
    first = await _CALLS["CreateVersion"](yard, same)

    yard.clock.advance(yard.limits.request_id_ttl + 1)
    await yard.app.sweeper.sweep()
    second = await _CALLS["CreateVersion"](yard, same)

    assert second.number == first.number + 1


async def test_a_cancelled_change_happened_or_did_not(yard: RunningRegistry) -> None:
    """Whatever moment the caller goes away at, the log and the rows agree, and the retry tells what it came to."""
    await _prepare(yard)
    for round_ in range(20):
        same = request_id()
        call = asyncio.ensure_future(_CALLS["CreateVersion"](yard, same))
        for _ in range(round_ * 3):
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        await _CALLS["CreateVersion"](yard, same)

    numbers = [row.number for row in await yard.sql("SELECT number FROM versions ORDER BY number")]
    created = await yard.sql("SELECT COUNT(*) AS n FROM events WHERE type = 'version.created'")
    assert numbers == list(range(1, 23))
    assert created[0].n == 22

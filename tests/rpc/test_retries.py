"""R11: a retry takes effect once, no matter what was changed in between."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from google.protobuf import descriptor_pb2
from tests.support.receiver import CERTIFICATE, Receiver, receiving
from tests.support.registry import RunningRegistry, refused, running_registry
from tests.support.requests import (
    MODEL,
    NAMESPACE,
    blob_of,
    commit,
    frames,
    make_model,
    request_id,
    start,
    store,
    version_of,
)
from tests.support.waiting import until

from modelyard.v1 import artifacts_pb2 as artifacts
from modelyard.v1 import deployments_pb2 as deployments
from modelyard.v1 import evaluations_pb2, events_pb2, webhooks_pb2
from modelyard.v1 import registry_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.app import SERVICES
from modelyard_server.outbound.https import HttpsSender

_VERSION = f"{MODEL}/versions/1"
_ALIAS = f"{MODEL}/aliases/production"
_WEBHOOK = f"{NAMESPACE}/webhooks/ci"
_HOOK = "https://hooks.example.com/x"
_CONSUMER = pb.Deployment(service="fraud-api", version=_VERSION)
_DATA = b"some bytes"
_SAME = "8d1ffd9b-5f1e-4b8e-9d1c-0a4a4e3f9f10"

_CHANGES: Final = {
    method.name: method
    for service in SERVICES
    for method in service.methods
    if method.GetOptions().idempotency_level != descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS
}
"""Every method of the contract that may change something."""
_WITH_REQUEST_ID: Final = sorted(
    name for name, method in _CHANGES.items() if "request_id" in method.input_type.fields_by_name
)


@pytest.fixture
async def yard(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RunningRegistry]:
    """A registry that may post to this machine."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    sender = HttpsSender([ip_network("127.0.0.0/8")])
    async with running_registry(database_url, tmp_path / "yard", sender=sender) as running:
        yield running


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


async def _delete_deployment(yard: RunningRegistry, retry: str) -> pb.Deployment:
    """The only one. After the first try it is found in the log."""
    (name,) = {row.resource for row in await yard.sql("SELECT resource FROM events WHERE type = 'deployment.created'")}
    return await yard.deployments.DeleteDeployment(deployments.DeleteDeploymentRequest(name=name, request_id=retry))


async def _deliveries(yard: RunningRegistry) -> list[webhooks_pb2.Delivery]:
    """The newest first."""
    return list((await yard.webhooks.ListDeliveries(webhooks_pb2.ListDeliveriesRequest(parent=_WEBHOOK))).deliveries)


async def _redeliver(yard: RunningRegistry, retry: str) -> webhooks_pb2.Delivery:
    first = (await _deliveries(yard))[-1]
    return await yard.webhooks.RedeliverDelivery(
        webhooks_pb2.RedeliverDeliveryRequest(name=first.name, request_id=retry)
    )


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
    "RollbackAlias": lambda y, r: y.registry.RollbackAlias(rpc.RollbackAliasRequest(name=_ALIAS, request_id=r)),
    "CreateEvaluation": lambda y, r: y.evaluations.CreateEvaluation(
        evaluations_pb2.CreateEvaluationRequest(
            parent=_VERSION,
            evaluation=pb.Evaluation(dataset=pb.Dataset(name="test"), metrics={"auc": 0.9}),
            request_id=r,
        )
    ),
    "RedeliverDelivery": _redeliver,
    "StartUpload": lambda y, r: y.artifacts.StartUpload(
        artifacts.StartUploadRequest(parent=NAMESPACE, size_bytes=10, request_id=r)
    ),
    "UndeleteModel": lambda y, r: y.registry.UndeleteModel(rpc.UndeleteModelRequest(name=MODEL, request_id=r)),
    "UndeleteVersion": lambda y, r: y.registry.UndeleteVersion(
        rpc.UndeleteVersionRequest(name=f"{MODEL}/versions/2", request_id=r)
    ),
    "DeleteAlias": lambda y, r: y.registry.DeleteAlias(rpc.DeleteAliasRequest(name=_ALIAS, request_id=r)),
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


async def _move_alias(yard: RunningRegistry, _: Receiver) -> None:
    alias = pb.Alias(name=_ALIAS, version=f"{MODEL}/versions/2")
    await yard.registry.SetAlias(rpc.SetAliasRequest(alias=alias))


async def _deliver(yard: RunningRegistry, receiver: Receiver) -> None:
    """One event. Then the webhook is disabled, so that no other delivery changes anything by itself."""

    async def change(**fields: Any) -> None:
        webhook = pb.Webhook(name=_WEBHOOK, **fields)
        request = webhooks_pb2.UpdateWebhookRequest(webhook=webhook)
        request.update_mask.paths.extend(fields)
        await yard.webhooks.UpdateWebhook(request)

    async def ended() -> bool:
        return [each.state for each in await _deliveries(yard)] == [webhooks_pb2.Delivery.STATE_DELIVERED]

    await change(url=receiver.url, types=["model.updated"], disabled=False)
    await yard.registry.UpdateModel(rpc.UpdateModelRequest(model=pb.Model(name=MODEL, owner="ann")))
    await until(ended)
    await change(disabled=True)


_BEFORE: Final[dict[str, Callable[[RunningRegistry, Receiver], Awaitable[Any]]]] = {
    "DeleteDeployment": lambda y, _: _CALLS["RegisterDeployment"](y, request_id()),
    "UndeleteModel": lambda y, _: _CALLS["DeleteModel"](y, request_id()),
    "UndeleteVersion": lambda y, _: _CALLS["DeleteVersion"](y, request_id()),
    "RollbackAlias": _move_alias,
    "RedeliverDelivery": _deliver,
}
"""What must have happened before a call."""


@pytest.mark.parametrize("method", _WITH_REQUEST_ID)
async def test_a_retry_gets_the_first_answer(yard: RunningRegistry, receiver: Receiver, method: str) -> None:
    await _prepare(yard)
    if method in _BEFORE:
        await _BEFORE[method](yard, receiver)
    same = request_id()

    first = await _CALLS[method](yard, same)
    yard.clock.advance(60)
    after_first = await yard.dump()
    again = await _CALLS[method](yard, same.upper())

    assert again == first
    assert await yard.dump() == after_first


async def _write_blob(yard: RunningRegistry) -> artifacts.Upload:
    """Sends the end of an upload: all bytes were sent before."""
    upload = artifacts.StartUploadRequest(parent=NAMESPACE, size_bytes=len(_DATA), request_id=_SAME)
    name = (await yard.artifacts.StartUpload(upload)).name
    found = await yard.artifacts.GetUpload(artifacts.GetUploadRequest(name=name))
    return await yard.artifacts.WriteBlob(
        frames(name, _DATA, offset=found.persisted_size, digest=blob_of(_DATA).digest)
    )


async def _batch_write(yard: RunningRegistry) -> artifacts.BatchWriteBlobsResponse:
    item = artifacts.BatchWriteBlobsRequest.Item(blob=blob_of(_DATA), data=_DATA)
    return await yard.artifacts.BatchWriteBlobs(artifacts.BatchWriteBlobsRequest(parent=NAMESPACE, items=[item]))


async def _compose(yard: RunningRegistry) -> pb.Blob:
    await store(yard, b"one", b"two")
    parts = [blob_of(b"one"), blob_of(b"two")]
    request = artifacts.ComposeBlobRequest(parent=NAMESPACE, blob=blob_of(b"onetwo"), parts=parts)
    return await yard.artifacts.ComposeBlob(request)


async def _heartbeat(yard: RunningRegistry) -> pb.Deployment:
    registered = await _CALLS["RegisterDeployment"](yard, _SAME)
    request = deployments.HeartbeatDeploymentRequest(name=registered.deployment.name, lease=registered.lease)
    return await yard.deployments.HeartbeatDeployment(request)


_REPEATABLE: Final[dict[str, Callable[[RunningRegistry], Awaitable[Any]]]] = {
    "WriteBlob": _write_blob,
    "FindMissingBlobs": lambda y: y.artifacts.FindMissingBlobs(
        artifacts.FindMissingBlobsRequest(parent=NAMESPACE, blobs=[blob_of(b"weights"), blob_of(b"not there")])
    ),
    "BatchWriteBlobs": _batch_write,
    "ComposeBlob": _compose,
    "CompactEvents": lambda y: y.events.CompactEvents(events_pb2.CompactEventsRequest(parent=NAMESPACE, revision=2)),
    "HeartbeatDeployment": _heartbeat,
}
"""Calls that need no request_id: what they ask for is there after the first of them."""
_OTHERS: Final = {
    "CancelUpload": "the second one finds nothing to cancel, see below",
    "TestWebhook": "it changes nothing in the registry, and posts each time: that is its purpose",
}


def test_every_method_that_changes_something_has_its_retry() -> None:
    assert sorted(_CALLS) == _WITH_REQUEST_ID
    assert set(_CHANGES) == {*_CALLS, *_REPEATABLE, *_OTHERS}


@pytest.mark.parametrize("method", _REPEATABLE)
async def test_a_repeated_call_changes_nothing_more(yard: RunningRegistry, method: str) -> None:
    await _prepare(yard)

    first = await _REPEATABLE[method](yard)
    after_first = await yard.dump()

    assert await _REPEATABLE[method](yard) == first
    assert await yard.dump() == after_first


async def test_a_cancelled_upload_can_not_be_cancelled_again(yard: RunningRegistry) -> None:
    name = (await start(yard, _DATA)).name
    await yard.artifacts.CancelUpload(artifacts.CancelUploadRequest(name=name))
    after_first = await yard.dump()

    got = await refused(yard.artifacts.CancelUpload(artifacts.CancelUploadRequest(name=name)))

    assert (got.code, got.reason) == (grpc.StatusCode.NOT_FOUND, "UPLOAD_NOT_FOUND")
    assert await yard.dump() == after_first


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
    """The caller may go away at any moment: the log and the rows agree, and the retry gets the answer."""
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

"""Namespaces that are deleted and restored."""

import asyncio
from collections.abc import Awaitable

import grpc
import pytest
from tests.support.registry import RunningRegistry, refused
from tests.support.requests import commit, make_model, request_id

from modelyard.v1 import artifacts_pb2, events_pb2, webhooks_pb2
from modelyard.v1 import registry_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb

TEAM = "namespaces/team"


async def create(yard: RunningRegistry) -> pb.Namespace:
    return await yard.registry.CreateNamespace(rpc.CreateNamespaceRequest(namespace_id="team"))


async def delete(yard: RunningRegistry, name: str = TEAM, etag: str = "") -> pb.Namespace:
    return await yard.registry.DeleteNamespace(rpc.DeleteNamespaceRequest(name=name, etag=etag))


async def undelete(yard: RunningRegistry) -> pb.Namespace:
    return await yard.registry.UndeleteNamespace(rpc.UndeleteNamespaceRequest(name=TEAM))


async def start_upload(yard: RunningRegistry) -> artifacts_pb2.Upload:
    return await yard.artifacts.StartUpload(artifacts_pb2.StartUploadRequest(parent=TEAM, size_bytes=1))


async def create_webhook(yard: RunningRegistry) -> pb.Webhook:
    webhook = pb.Webhook(url="https://hooks.example.com/x", disabled=True)
    request = webhooks_pb2.CreateWebhookRequest(parent=TEAM, webhook_id="ci", webhook=webhook)
    return await yard.webhooks.CreateWebhook(request)


async def listed(yard: RunningRegistry, *, show_deleted: bool = False) -> list[str]:
    answer = await yard.registry.ListNamespaces(rpc.ListNamespacesRequest(show_deleted=show_deleted))
    return [namespace.name for namespace in answer.namespaces]


async def test_a_deleted_namespace_is_hidden_and_takes_nothing(yard: RunningRegistry) -> None:
    await create(yard)

    deleted = await delete(yard)

    assert deleted.delete_time == deleted.update_time
    assert TEAM not in await listed(yard)
    assert TEAM in await listed(yard, show_deleted=True)
    assert await yard.registry.GetNamespace(rpc.GetNamespaceRequest(name=TEAM)) == deleted
    update = rpc.UpdateNamespaceRequest(namespace=pb.Namespace(name=TEAM, display_name="x"))
    before = await yard.dump()
    for call in (
        make_model(yard, parent=TEAM),
        start_upload(yard),
        create_webhook(yard),
        delete(yard),
        yard.registry.UpdateNamespace(update),
        yard.registry.ListModels(rpc.ListModelsRequest(parent=TEAM)),
        yard.registry.ResolveVersion(rpc.ResolveVersionRequest(reference="team/fraud")),
        yard.artifacts.FindMissingBlobs(artifacts_pb2.FindMissingBlobsRequest(parent=TEAM)),
    ):
        got = await refused(call)
        assert (got.code, got.reason) == (grpc.StatusCode.NOT_FOUND, "NAMESPACE_DELETED")
        assert got.info.metadata["resource"] == TEAM
    got = await refused(create(yard))
    assert (got.code, got.reason) == (grpc.StatusCode.ALREADY_EXISTS, "NAMESPACE_EXISTS")
    assert await yard.dump() == before


async def test_its_log_stays_and_goes_on_when_it_is_restored(yard: RunningRegistry) -> None:
    await create(yard)
    await delete(yard)

    verdict = await yard.events.VerifyEvents(events_pb2.VerifyEventsRequest(parent=TEAM))
    restored = await undelete(yard)
    await make_model(yard, parent=TEAM)

    assert verdict.verified_revision == 2
    assert not restored.HasField("delete_time")
    assert TEAM in await listed(yard)
    events = (await yard.events.ListEvents(events_pb2.ListEventsRequest(parent=TEAM))).events
    types = ["namespace.created", "namespace.deleted", "namespace.restored", "model.created"]
    assert [event.type for event in events] == types
    assert events[1].namespace.HasField("delete_time")
    got = await refused(undelete(yard))
    assert (got.code, got.reason) == (grpc.StatusCode.ALREADY_EXISTS, "NOT_DELETED")


async def test_what_is_in_it_stands_in_the_way(yard: RunningRegistry) -> None:
    await create(yard)
    upload, webhook = await start_upload(yard), await create_webhook(yard)

    got = await refused(delete(yard))

    assert (got.code, got.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NAMESPACE_NOT_EMPTY")
    assert got.info.metadata["resource"] == TEAM
    assert upload.name in got.message
    assert webhook.name in got.message
    await yard.artifacts.CancelUpload(artifacts_pb2.CancelUploadRequest(name=upload.name))
    await yard.webhooks.DeleteWebhook(webhooks_pb2.DeleteWebhookRequest(name=webhook.name))
    model = await make_model(yard, parent=TEAM)
    await commit(yard, parent=model.name)
    await yard.registry.DeleteModel(rpc.DeleteModelRequest(name=model.name, force=True))
    assert (await refused(delete(yard))).reason == "NAMESPACE_NOT_EMPTY"


async def test_the_default_namespace_stays(yard: RunningRegistry) -> None:
    got = await refused(delete(yard, "namespaces/default"))

    assert (got.code, got.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["name"])


async def test_deleting_is_a_compare_and_set(yard: RunningRegistry) -> None:
    made = await create(yard)
    await yard.registry.UpdateNamespace(
        rpc.UpdateNamespaceRequest(namespace=pb.Namespace(name=TEAM, display_name="Team"))
    )

    assert (await refused(delete(yard, etag=made.etag))).reason == "ETAG_MISMATCH"


@pytest.mark.parametrize("make", ["model", "upload", "webhook"])
async def test_a_namespace_is_never_deleted_with_something_in_it(yard: RunningRegistry, make: str) -> None:
    """Whoever of two calls at once comes second is refused."""
    for number in range(10):
        identity = f"n{number}"
        name = f"namespaces/{identity}"
        await yard.registry.CreateNamespace(rpc.CreateNamespaceRequest(namespace_id=identity))
        making: Awaitable[object]
        match make:
            case "model":
                making = make_model(yard, parent=name)
            case "upload":
                start = artifacts_pb2.StartUploadRequest(parent=name, size_bytes=1, request_id=request_id())
                making = yard.artifacts.StartUpload(start)
            case _:
                webhook = pb.Webhook(url="https://hooks.example.com/x", disabled=True)
                creation = webhooks_pb2.CreateWebhookRequest(parent=name, webhook_id="ci", webhook=webhook)
                making = yard.webhooks.CreateWebhook(creation)

        outcomes = await asyncio.gather(making, delete(yard, name), return_exceptions=True)

        assert [isinstance(outcome, grpc.aio.AioRpcError) for outcome in outcomes].count(True) == 1

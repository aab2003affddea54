"""R1, R3, R11, R12: a server that dies at any step loses nothing it acknowledged, tears nothing, does nothing twice."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest
from tests.support.deaths import dying_at, log_of
from tests.support.fsck import assert_clean
from tests.support.prepared import Prepared
from tests.support.requests import digest_of
from tests.support.scale import SCALE
from tests.support.server import ServerProcess

from modelyard import AsyncClient, AsyncWebhooks
from modelyard._transfer.parts import compose
from modelyard.errors import NotFoundError
from modelyard.types import Version, VersionState
from modelyard.v1 import artifacts_pb2 as pb
from modelyard.v1.artifacts_pb2_grpc import ArtifactsServiceStub
from modelyard.v1.resources_pb2 import Blob
from modelyard_server.app import SERVICES
from modelyard_server.calls.methods import table
from modelyard_server.failpoints import POINTS

_COMMIT: Final = ("before_commit", "after_commit")
NAMESPACE: Final = "namespaces/default"
BIG: Final = os.urandom(9 << 20)
PARTS: Final = (b"first part, ", b"second part")


@dataclass(frozen=True)
class Act:
    """Something done while the server dies, and the events that it must leave: each exactly once."""

    run: Callable[[AsyncClient, Path], Awaitable[object]]
    events: tuple[str, ...] = ()


async def _push(client: AsyncClient, folder: Path) -> Version:
    files = folder / "files"
    files.mkdir(parents=True)
    (files / "model.bin").write_bytes(BIG)
    (files / "config.json").write_text("{}")
    (files / "labels.txt").write_text("fraud\n")
    version = await client.push("fraud", files, alias="candidate", capture=False)
    assert version.number == 4
    return version


async def _push_first(client: AsyncClient, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "model.txt").write_text("weights")
    assert (await client.push("other", folder / "model.txt", capture=False)).number == 1


async def _push_what_another_namespace_has(client: AsyncClient, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "weights").write_text("fraud 0")
    assert (await client.push("team/fraud", folder / "weights", capture=False)).number == 1


async def _cancel(client: AsyncClient, _: Path) -> None:
    connection = client._connection
    start = pb.StartUploadRequest(parent=NAMESPACE, size_bytes=10, request_id=str(uuid4()))
    upload = await connection.call(connection.stub(ArtifactsServiceStub).StartUpload, start)
    # It has no request_id: a retry that finds nothing left to cancel has what it wanted.
    with suppress(NotFoundError):
        await connection.call(
            connection.stub(ArtifactsServiceStub).CancelUpload, pb.CancelUploadRequest(name=upload.name)
        )


async def _compose(client: AsyncClient, _: Path) -> None:
    connection = client._connection
    parts = [Blob(digest=digest_of(part), size_bytes=len(part)) for part in PARTS]
    items = [pb.BatchWriteBlobsRequest.Item(blob=blob, data=part) for blob, part in zip(parts, PARTS, strict=True)]
    await connection.call(
        connection.stub(ArtifactsServiceStub).BatchWriteBlobs, pb.BatchWriteBlobsRequest(parent=NAMESPACE, items=items)
    )
    whole = b"".join(PARTS)
    blob = Blob(digest=digest_of(whole), size_bytes=len(whole))
    request = pb.ComposeBlobRequest(parent=NAMESPACE, blob=blob, parts=parts)
    await compose(connection, request)


async def _add_webhook(client: AsyncClient) -> None:
    """One that posts nothing: there is no network but this machine."""
    await client.webhooks.create("ci", "https://hooks.example.com/x", disabled=True)


def _changing_webhook(change: Callable[[AsyncWebhooks], Awaitable[object]], event: str) -> Act:
    async def run(client: AsyncClient, _: Path) -> None:
        await _add_webhook(client)
        await change(client.webhooks)

    return Act(run, ("webhook.created", event))


async def _stop_serving(client: AsyncClient, _: Path) -> None:
    served = await client.deployments.register("fraud@1", "fraud-api")
    await client.deployments.delete(served.deployment.name)


async def _roll_back(client: AsyncClient, _: Path) -> None:
    await client.aliases.set("fraud", "production", 2)
    assert (await client.aliases.rollback("fraud", "production")).version.number == 1


async def _release(client: AsyncClient, _: Path) -> None:
    await client.versions.quarantine("fraud@1", "malware")
    await client.versions.release("fraud@1", "false alarm")


async def _delete_namespace(client: AsyncClient, _: Path) -> None:
    await client.namespaces.create("team")
    await client.namespaces.delete("team")


async def _undelete_namespace(client: AsyncClient, folder: Path) -> None:
    await _delete_namespace(client, folder)
    await client.namespaces.undelete("team")


PUSH = Act(_push, ("version.created", "alias.created"))
CHANGES: Final[Mapping[str, Act]] = {
    "CreateNamespace": Act(lambda client, _: client.namespaces.create("team")),
    "UpdateNamespace": Act(
        lambda client, _: client.namespaces.update("default", description="x"), ("namespace.updated",)
    ),
    "DeleteNamespace": Act(_delete_namespace),
    "UndeleteNamespace": Act(_undelete_namespace),
    "CreateModel": Act(_push_first, ("model.created", "version.created")),
    "UpdateModel": Act(lambda client, _: client.models.update("fraud", owner="ann"), ("model.updated",)),
    "DeleteModel": Act(lambda client, _: client.models.delete("spare", force=True), ("model.deleted",)),
    "UndeleteModel": Act(lambda client, _: client.models.undelete("gone"), ("model.restored",)),
    "CreateVersion": PUSH,
    "UpdateVersion": Act(lambda client, _: client.versions.update("fraud@1", description="x"), ("version.updated",)),
    "DeprecateVersion": Act(lambda client, _: client.versions.deprecate("fraud@1", "old"), ("version.deprecated",)),
    "QuarantineVersion": Act(
        lambda client, _: client.versions.quarantine("fraud@1", "malware"), ("version.quarantined",)
    ),
    "ReleaseVersion": Act(_release, ("version.quarantined", "version.released")),
    "DeleteVersion": Act(lambda client, _: client.versions.delete("fraud@2"), ("version.deleted",)),
    "UndeleteVersion": Act(lambda client, _: client.versions.undelete("fraud@3"), ("version.restored",)),
    "SetAlias": Act(lambda client, _: client.aliases.set("fraud", "production", 2), ("alias.moved",)),
    "RollbackAlias": Act(_roll_back, ("alias.moved", "alias.rolled_back")),
    "CreateEvaluation": Act(
        lambda client, _: client.evaluations.create("fraud@1", "test", {"auc": 0.9}), ("evaluation.created",)
    ),
    "DeleteAlias": Act(lambda client, _: client.aliases.delete("fraud", "production"), ("alias.deleted",)),
    "CreateWebhook": Act(lambda client, _: _add_webhook(client), ("webhook.created",)),
    "UpdateWebhook": _changing_webhook(lambda webhooks: webhooks.update("ci", description="x"), "webhook.updated"),
    "RotateWebhookSecret": _changing_webhook(lambda webhooks: webhooks.rotate_secret("ci"), "webhook.secret_rotated"),
    "DeleteWebhook": _changing_webhook(lambda webhooks: webhooks.delete("ci"), "webhook.deleted"),
    "RegisterDeployment": Act(
        lambda client, _: client.deployments.register("fraud@1", "fraud-api"), ("deployment.created",)
    ),
    "DeleteDeployment": Act(_stop_serving, ("deployment.created", "deployment.deleted")),
}
STEPS: Final[Mapping[str, Act]] = {
    **dict.fromkeys(
        (
            # Numbers pick one time of several: the batch and the upload both write, sync and link.
            "blob.write",
            "blob.write@5",
            "blob.fsync",
            "blob.fsync@3",
            "blob.fsync_folder@4",
            "blob.fsync_folder@6",
            "blob.link",
            "blob.link@3",
            "blob.before_link@2",
            "blob.after_link@2",
            "upload.after_start",
            "upload.after_claim",
            "finish.before_publish",
            "finish.after_publish",
            "finish.after_commit",
            "batch.after_publish",
            *(f"commit.{step}@{nth}" for step, nth in product(("before_db", "after_db"), (1, 2, 4))),
        ),
        PUSH,
    ),
    "commit.before_events": CHANGES["SetAlias"],
    "blob.unlink": Act(_push_what_another_namespace_has),
    "upload.after_cancel": Act(_cancel),
    "compose.before_publish": Act(_compose),
    "compose.after_publish": Act(_compose),
    **{f"{name}.{step}": act for (name, act), step in product(CHANGES.items(), _COMMIT)},
}
# Reached when a server starts, see test_starts.py, when it tells webhooks, see test_webhooks.py, and when staged bytes
# are read again, see test_resuming.py.
OTHERS: Final = {
    "blob.rehash",
    "RedeliverDelivery.before_commit",
    "RedeliverDelivery.after_commit",
    "webhook.after_fan_out",
    "webhook.after_post",
    "webhook.after_end",
    "expiry.after_commit",
    "expiry.after_discard",
    "migration.before",
    "migration.before_commit",
    "migration.after_commit",
}


def test_every_failpoint_is_tested() -> None:
    assert {point.partition("@")[0] for point in STEPS} | OTHERS == POINTS


def test_every_retried_method_has_failpoints() -> None:
    """Those that a client retries by its request_id. An upload's steps are points of their own."""
    retried = {
        method.name for method in table(SERVICES).values() if "request_id" in method.request.DESCRIPTOR.fields_by_name
    }
    assert {f"{name}.{step}" for name in retried - {"StartUpload"} for step in _COMMIT} <= POINTS


async def _dies_and_comes_back(prepared: Prepared, folder: Path, point: str, act: Act) -> None:
    server = prepared.copy(folder)
    before = await log_of(server)
    try:
        async with AsyncClient(server.url, cache_dir=folder / "cache") as client:
            async with dying_at(server, point):
                await client.namespaces.get("default")  # a client waits only for a server that it has known
                await act.run(client, folder / "work")
            assert await log_of(server) == [*before, *act.events]
        await _all_is_whole(server, folder)
        assert server.stop() == 0
        assert_clean(server)
    finally:
        server.close()


async def _all_is_whole(server: ServerProcess, folder: Path) -> None:
    """Each READY version can be had, verified, by somebody who has nothing of it."""
    async with AsyncClient(server.url, cache_dir=folder / "fresh") as client:
        async for version in _ready(client):
            await client.pull(version.name)
        assert (await client.versions.get("fraud@1")).number == 1


async def _ready(client: AsyncClient) -> AsyncIterator[Version]:
    async for model in client.models.list():
        async for version in client.versions.list(model.name):
            if version.state is VersionState.READY:
                yield version


@pytest.mark.parametrize("point", STEPS)
async def test_acknowledged_changes_survive_a_death_at_each_step(
    prepared_on_sqlite: Prepared, tmp_path: Path, point: str
) -> None:
    await _dies_and_comes_back(prepared_on_sqlite, tmp_path, point, STEPS[point])


# A bounded share, each time the same: what differs between the dialects is a transaction's commit.
@pytest.mark.parametrize("point", [point for point in STEPS if SCALE > 1 or point.startswith(("commit", "Set"))])
async def test_acknowledged_changes_survive_a_death_at_each_commit_on_postgresql(
    prepared_on_postgresql: Prepared, tmp_path: Path, point: str
) -> None:
    await _dies_and_comes_back(prepared_on_postgresql, tmp_path, point, STEPS[point])

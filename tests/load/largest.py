"""A registry that holds the largest that is allowed, and the largest calls of it.

What takes long to commit is committed once, and then its row is repeated by SQL.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import grpc
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from sqlalchemy import Connection, Table, text
from tests.support.requests import blob_of, digest_of, request_id

from modelyard.v1 import artifacts_pb2 as artifacts
from modelyard.v1 import deployments_pb2 as deployments
from modelyard.v1 import evaluations_pb2 as evaluations
from modelyard.v1 import events_pb2 as events
from modelyard.v1 import lineage_pb2 as lineage
from modelyard.v1 import registry_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb
from modelyard.v1 import webhooks_pb2 as webhooks
from modelyard.v1.artifacts_pb2_grpc import ArtifactsServiceStub
from modelyard.v1.deployments_pb2_grpc import DeploymentsServiceStub
from modelyard.v1.evaluations_pb2_grpc import EvaluationsServiceStub
from modelyard.v1.events_pb2_grpc import EventsServiceStub
from modelyard.v1.lineage_pb2_grpc import LineageServiceStub
from modelyard.v1.registry_pb2_grpc import RegistryServiceStub
from modelyard.v1.webhooks_pb2_grpc import WebhooksServiceStub
from modelyard_server.app import CAPABILITIES
from modelyard_server.deployments.tables import deployments as deployment_rows
from modelyard_server.evaluations.tables import evaluations as evaluation_rows
from modelyard_server.registry.aliases.tables import aliases as alias_rows
from modelyard_server.registry.versions.tables import versions as version_rows
from modelyard_server.transfers.uploads.tables import uploads as upload_rows
from modelyard_server.webhooks.deliveries.tables import webhook_deliveries as delivery_rows
from modelyard_server.webhooks.tables import webhooks as webhook_rows

MIB: Final = 1 << 20
LARGE_ROWS: Final = 40
"""Of each resource that may have megabytes."""
NAMESPACE: Final = "namespaces/default"
MODEL: Final = f"{NAMESPACE}/models/large"
FIRST: Final = f"{MODEL}/versions/1"
MANY_FILES: Final = f"{NAMESPACE}/models/files/versions/1"
ALIASED: Final = f"{NAMESPACE}/models/files"
WEBHOOK: Final = f"{NAMESPACE}/webhooks/hook"
_LABELS: Final = {f"label-{number:02}": "v" * 4096 for number in range(100)}
_PAGE: Final = 1000
_SMALL: Final = b"small"
_UUID: Final = "'00000000-0000-4000-8000-' || (100000000000 + i)"
_LABELS_ALONE: Final = FieldMask(paths=["labels"])


@dataclass(frozen=True)
class Stubs:
    """The services, over one channel."""

    registry: Any
    artifacts: Any
    events: Any
    evaluations: Any
    lineage: Any
    deployments: Any
    webhooks: Any

    @classmethod
    def of(cls, channel: grpc.aio.Channel) -> "Stubs":
        return cls(
            RegistryServiceStub(channel),
            ArtifactsServiceStub(channel),
            EventsServiceStub(channel),
            EvaluationsServiceStub(channel),
            LineageServiceStub(channel),
            DeploymentsServiceStub(channel),
            WebhooksServiceStub(channel),
        )


# Fields that can be long


def long_methods() -> Iterator[MethodDescriptor]:
    """The methods of the contract that stream, or whose answer has a list of messages at any depth."""
    for capability in CAPABILITIES:
        for service in capability.services:
            for method in service.methods:
                if method.client_streaming or method.server_streaming or _is_long(method.output_type):
                    yield method


def _is_long(message: Descriptor, above: frozenset[str] = frozenset()) -> bool:
    inside = above | {message.full_name}
    return any(_has_many(field, inside) for field in message.fields)


def _has_many(field: FieldDescriptor, above: frozenset[str]) -> bool:
    of = field.message_type
    if of is None or of.GetOptions().map_entry or not of.full_name.startswith("modelyard."):
        return False
    return field.is_repeated or (of.full_name not in above and _is_long(of, above))


# Content


def largest_facts() -> pb.Version:
    """A version of as many short facts as are allowed: short ones need the most objects for each byte."""
    version = pb.Version(files=[pb.File(path="model.bin", blob=blob_of(b"weights"))])
    texts = {f"p-{number:05}": f"{number:036}" for number in range(10_000)}
    for name, value in texts.items():
        version.params[name].string_value = value
        version.metrics[name] = 0.5
    version.environment.packages.update(texts)
    version.environment.hardware.update(texts)
    version.environment.job.update(texts)
    version.source.arguments.extend(texts)
    for name in list(texts)[:2_000]:
        version.datasets.add(name=name, role=pb.Dataset.ROLE_TRAINING)
    # Long texts up to the limit, with room for labels.
    version.description = "x" * ((7 << 19) - version.ByteSize() - (400 << 10))
    return version


def largest_evaluation() -> pb.Evaluation:
    evaluation = pb.Evaluation(dataset=pb.Dataset(name="test", role=pb.Dataset.ROLE_TEST))
    metrics = {f"m-{number:05}": number / 3 for number in range(10_000)}
    evaluation.metrics.update(metrics)
    for number in range(12):
        evaluation.slices.add(name=f"slice-{number}", metrics=metrics)
    return evaluation


async def fill(stubs: Stubs) -> None:
    """Commits one of each. :func:`repeat` makes many of them."""
    described: dict[str, Any] = {"description": "fraud " + "x" * (MIB - 6), "labels": _LABELS, "annotations": _LABELS}
    items = [artifacts.BatchWriteBlobsRequest.Item(blob=blob_of(data), data=data) for data in (b"weights", _SMALL)]
    await stubs.artifacts.BatchWriteBlobs(artifacts.BatchWriteBlobsRequest(parent=NAMESPACE, items=items))
    for number in range(LARGE_ROWS):
        namespace, model = pb.Namespace(**described), pb.Model(**described)
        await stubs.registry.CreateNamespace(
            rpc.CreateNamespaceRequest(namespace_id=f"n{number:03}", namespace=namespace)
        )
        await stubs.registry.CreateModel(
            rpc.CreateModelRequest(parent=NAMESPACE, model_id=f"m{number:03}", model=model)
        )
    for name in ("large", "files"):
        await stubs.registry.CreateModel(rpc.CreateModelRequest(parent=NAMESPACE, model_id=name))
    await stubs.registry.CreateVersion(rpc.CreateVersionRequest(parent=MODEL, version=largest_facts()))
    await stubs.evaluations.CreateEvaluation(
        evaluations.CreateEvaluationRequest(parent=FIRST, evaluation=largest_evaluation())
    )
    tail = "/".join(["d" * 200] * 2)[:250]
    files = [pb.File(path=f"{number:05}/{tail}", blob=blob_of(_SMALL)) for number in range(10_000)]
    await stubs.registry.CreateVersion(rpc.CreateVersionRequest(parent=ALIASED, version=pb.Version(files=files)))
    alias = pb.Alias(name=f"{ALIASED}/aliases/production", version=MANY_FILES)
    await stubs.registry.SetAlias(rpc.SetAliasRequest(alias=alias))
    for number in range(LARGE_ROWS):
        await stubs.registry.UpdateVersion(
            rpc.UpdateVersionRequest(
                version=pb.Version(name=FIRST, labels={"n": str(number)}), update_mask=_LABELS_ALONE
            )
        )
    await stubs.deployments.RegisterDeployment(
        deployments.RegisterDeploymentRequest(
            parent=ALIASED,
            deployment=pb.Deployment(service="s" * 255, environment="e" * 255, instance="i" * 255, version=MANY_FILES),
            ttl=Duration(seconds=86_400),
        )
    )
    await stubs.artifacts.StartUpload(artifacts.StartUploadRequest(parent=NAMESPACE, size_bytes=1))
    webhook = pb.Webhook(url="https://example.com/hook", description="d" * 4096, disabled=True)
    await stubs.webhooks.CreateWebhook(
        webhooks.CreateWebhookRequest(parent=NAMESPACE, webhook_id="hook", webhook=webhook)
    )


def repeat(connection: Connection) -> None:
    """Makes the rows many. Their log has no events of that, which nothing here looks at."""
    large = connection.execute(text("SELECT key FROM versions ORDER BY key LIMIT 1")).scalar_one()
    _repeat(connection, version_rows, LARGE_ROWS, where=f"key = {large}", uid=_UUID, number="i + 1")
    _repeat(connection, evaluation_rows, LARGE_ROWS, uid=_UUID)
    _repeat(connection, alias_rows, 999, uid=_UUID, id="'alias-' || i")
    _repeat(connection, deployment_rows, 9_999, uid=_UUID, instance="i || substr(instance, 6)")
    _repeat(connection, upload_rows, 998, id=_UUID)
    _repeat(connection, webhook_rows, 99, uid=_UUID, id="'hook-' || i")
    connection.execute(
        text(
            f"INSERT INTO version_parents (version_key, parent_key) SELECT key, {large} FROM versions WHERE number > 1"
        )
    )
    hook = connection.execute(text("SELECT key, namespace_key FROM webhooks WHERE id = 'hook'")).one()
    delivery = {
        "webhook_key": hook.key,
        "namespace_key": hook.namespace_key,
        "revision": 1,
        "type": "model.created",
        "resource": MODEL,
        "lane": MODEL,
        "state": "FAILED",
        "attempt_count": 9,
        "status_code": 500,
        "error": "e" * 500,
        "latency": 1.0,
        "create_time": datetime.now(UTC),
        "claim": "",
    }
    connection.execute(delivery_rows.insert(), [{**delivery, "uid": f"d{number}"} for number in range(_PAGE + 1)])


def _repeat(connection: Connection, table: Table, count: int, where: str = "1 = 1", **changed: str) -> None:
    """Copies a row ``count`` times. ``changed`` are the SQL of columns that differ, in which ``i`` counts."""
    names = [column.name for column in table.columns if column.name != "key"]
    source = f"(SELECT * FROM {table.name} WHERE {where} LIMIT 1)"
    connection.execute(
        text(
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
            f" INSERT INTO {table.name} ({', '.join(names)})"
            f" SELECT {', '.join(changed.get(name, f'one.{name}') for name in names)} FROM {source} AS one, n"
        )
    )


# Calls

_PAGES: Final = 4
_TOLD: Final = 8
"""Events that a watch waits for."""


async def _read(list_: Any, request: Any) -> None:
    """Some pages of a list: the largest need not be on the first."""
    for _ in range(_PAGES):
        answer = await list_(request)
        if not answer.next_page_token:
            return
        request.page_token = answer.next_page_token


Call = Callable[[Stubs, int], Awaitable[Any]]
"""Makes one call as one of several callers, who are numbered."""


async def _chunks(upload: str, data: bytes, size: int) -> AsyncIterator[artifacts.WriteBlobRequest]:
    yield artifacts.WriteBlobRequest(upload=upload)
    for offset in range(0, len(data), size):
        yield artifacts.WriteBlobRequest(write_offset=offset, data=data[offset : offset + size])
    yield artifacts.WriteBlobRequest(write_offset=len(data), finish_write=True, digest=digest_of(data))


async def _write_in_bytes(stubs: Stubs, number: int) -> None:
    """In the smallest chunks there are."""
    data = b"%08d" % number * 2_500
    request = artifacts.StartUploadRequest(parent=f"{NAMESPACE[:-7]}n000", size_bytes=len(data))
    upload = await stubs.artifacts.StartUpload(request)
    await stubs.artifacts.WriteBlob(_chunks(upload.name, data, 1))


async def _drain(stream: Any) -> None:
    async for _ in stream:
        pass


async def _watch(stubs: Stubs, _number: int) -> None:
    watch = stubs.events.WatchEvents(events.WatchEventsRequest(parent=MODEL, start_revision=1, include_payload=True))
    told = 0
    async for answer in watch:
        told += len(answer.events)
        if told >= _TOLD:
            break
    watch.cancel()


_CALLERS_AT_MOST: Final = 10
"""Callers at once have numbers below it. A caller that comes alone has the last number."""


def _version(number: int) -> str:
    return f"{MODEL}/versions/{number + 2}"


def _deprecate(stubs: Stubs, number: int) -> Any:
    return stubs.registry.DeprecateVersion(rpc.DeprecateVersionRequest(name=_version(number), reason="r" * 4096))


async def _unless_done(call: Any) -> None:
    """On a busy machine, an earlier call may have had its effect without an answer, and its second half not."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        if error.code() not in {grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND}:
            raise


async def _quarantine(stubs: Stubs, number: int) -> None:
    name = _version(number)
    await _unless_done(stubs.registry.QuarantineVersion(rpc.QuarantineVersionRequest(name=name, reason="r" * 4096)))
    await stubs.registry.ReleaseVersion(rpc.ReleaseVersionRequest(name=name, reason="r" * 4096))


async def _delete(stubs: Stubs, number: int) -> None:
    name = _version(number)
    await _unless_done(stubs.registry.DeleteVersion(rpc.DeleteVersionRequest(name=name)))
    await stubs.registry.UndeleteVersion(rpc.UndeleteVersionRequest(name=name))


def _update(stubs: Stubs, number: int) -> Any:
    version = pb.Version(name=_version(number), labels={"n": str(number)})
    return stubs.registry.UpdateVersion(rpc.UpdateVersionRequest(version=version, update_mask=_LABELS_ALONE))


def _create(stubs: Stubs, number: int) -> Any:
    parent = f"{NAMESPACE}/models/m{number % LARGE_ROWS:03}"
    request = rpc.CreateVersionRequest(parent=parent, version=largest_facts(), request_id=request_id())
    return stubs.registry.CreateVersion(request)


def _evaluate(stubs: Stubs, number: int) -> Any:
    """Versions that no other call has deprecated."""
    parent = _version((number + _CALLERS_AT_MOST) % LARGE_ROWS)
    request = evaluations.CreateEvaluationRequest(parent=parent, evaluation=largest_evaluation())
    return stubs.evaluations.CreateEvaluation(request)


async def _get_evaluation(stubs: Stubs, _number: int) -> None:
    listed = await stubs.evaluations.ListEvaluations(evaluations.ListEvaluationsRequest(parent=FIRST, page_size=1))
    name = listed.evaluations[0].name
    await stubs.evaluations.GetEvaluation(evaluations.GetEvaluationRequest(name=name))


def _find_missing(stubs: Stubs, number: int) -> Any:
    wanted = [pb.Blob(digest=f"sha256:{number:04}{each:060}", size_bytes=each) for each in range(1000)]
    request = artifacts.FindMissingBlobsRequest(parent=NAMESPACE, blobs=wanted, sizes=range(1000))
    return stubs.artifacts.FindMissingBlobs(request)


def _write_batch(stubs: Stubs, number: int) -> Any:
    contents = [b"%06d%06d" % (number, each) * 250 for each in range(1000)]
    items = [artifacts.BatchWriteBlobsRequest.Item(blob=blob_of(data), data=data) for data in contents]
    return stubs.artifacts.BatchWriteBlobs(artifacts.BatchWriteBlobsRequest(parent=NAMESPACE, items=items))


def _compose(stubs: Stubs, _number: int) -> Any:
    parts = [blob_of(_SMALL)] * 50_000
    whole = _SMALL * len(parts)
    blob = blob_of(whole)
    return _drain(stubs.artifacts.ComposeBlob(artifacts.ComposeBlobRequest(parent=NAMESPACE, blob=blob, parts=parts)))


def _read_batch(stubs: Stubs, _number: int) -> Any:
    tail = "/".join(["d" * 200] * 2)[:250]
    paths = [f"{number:05}/{tail}" for number in range(1000)]
    return stubs.artifacts.BatchReadFiles(artifacts.BatchReadFilesRequest(version=MANY_FILES, paths=paths))


CALLS: Final[Mapping[str, Call]] = {
    "ListNamespaces": lambda stubs, _: _read(stubs.registry.ListNamespaces, rpc.ListNamespacesRequest(page_size=_PAGE)),
    "ListModels": lambda stubs, _: _read(
        stubs.registry.ListModels, rpc.ListModelsRequest(parent=NAMESPACE, page_size=_PAGE)
    ),
    "SearchModels": lambda stubs, _: _read(
        stubs.registry.SearchModels, rpc.SearchModelsRequest(parent=NAMESPACE, query="fraud", page_size=_PAGE)
    ),
    "ListVersions": lambda stubs, _: _read(
        stubs.registry.ListVersions,
        rpc.ListVersionsRequest(
            parent=f"{NAMESPACE}/models/-", page_size=_PAGE, view=rpc.VERSION_VIEW_FULL, order_by="create_time"
        ),
    ),
    "GetVersion": lambda stubs, number: stubs.registry.GetVersion(
        rpc.GetVersionRequest(name=FIRST if number % 2 else MANY_FILES)
    ),
    "ResolveVersion": lambda stubs, number: stubs.registry.ResolveVersion(
        rpc.ResolveVersionRequest(reference="large@1" if number % 2 else "files@production")
    ),
    "CompareVersions": lambda stubs, _: stubs.registry.CompareVersions(
        rpc.CompareVersionsRequest(base=FIRST, other=MANY_FILES)
    ),
    "CreateVersion": _create,
    "UpdateVersion": _update,
    "DeprecateVersion": _deprecate,
    "QuarantineVersion": _quarantine,
    "ReleaseVersion": _quarantine,
    "DeleteVersion": _delete,
    "UndeleteVersion": _delete,
    "ListAliases": lambda stubs, _: _read(
        stubs.registry.ListAliases, rpc.ListAliasesRequest(parent=ALIASED, page_size=_PAGE)
    ),
    "ListEvents": lambda stubs, _: _read(
        stubs.events.ListEvents, events.ListEventsRequest(parent=MODEL, page_size=_PAGE, include_payload=True)
    ),
    "WatchEvents": _watch,
    "FindMissingBlobs": _find_missing,
    "BatchWriteBlobs": _write_batch,
    "WriteBlob": _write_in_bytes,
    "ListUploads": lambda stubs, _: _read(
        stubs.artifacts.ListUploads, artifacts.ListUploadsRequest(parent=NAMESPACE, page_size=_PAGE)
    ),
    "ComposeBlob": _compose,
    "ReadFile": lambda stubs, _: _drain(
        stubs.artifacts.ReadFile(artifacts.ReadFileRequest(version=FIRST, path="model.bin"))
    ),
    "BatchReadFiles": _read_batch,
    "CreateEvaluation": _evaluate,
    "GetEvaluation": _get_evaluation,
    "ListEvaluations": lambda stubs, _: _read(
        stubs.evaluations.ListEvaluations, evaluations.ListEvaluationsRequest(parent=FIRST, page_size=_PAGE)
    ),
    "QueryLineage": lambda stubs, _: stubs.lineage.QueryLineage(
        lineage.QueryLineageRequest(
            parent=NAMESPACE, version=FIRST, direction=lineage.QueryLineageRequest.DIRECTION_DOWNSTREAM
        )
    ),
    "ListDeployments": lambda stubs, _: _read(
        stubs.deployments.ListDeployments, deployments.ListDeploymentsRequest(parent=ALIASED, page_size=_PAGE)
    ),
    "GetRollout": lambda stubs, _: stubs.deployments.GetRollout(
        deployments.GetRolloutRequest(name=f"{ALIASED}/aliases/production")
    ),
    "ListWebhooks": lambda stubs, _: _read(
        stubs.webhooks.ListWebhooks, webhooks.ListWebhooksRequest(parent=NAMESPACE, page_size=_PAGE)
    ),
    "ListDeliveries": lambda stubs, _: _read(
        stubs.webhooks.ListDeliveries, webhooks.ListDeliveriesRequest(parent=WEBHOOK, page_size=_PAGE)
    ),
}

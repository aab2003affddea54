"""Nothing outgrows a client with gRPC's defaults: no answer is longer than 4 MiB, and pages join to the whole.

The channel of these tests has no options: a message that is too long would fail with RESOURCE_EXHAUSTED.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import grpc
import pytest
from tests.support.registry import RunningRegistry, refused
from tests.support.requests import MODEL, NAMESPACE, blob_of, commit, make_model, request_id, store

from modelyard.v1 import evaluations_pb2, events_pb2, lineage_pb2
from modelyard.v1 import registry_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb

MIB: Final = 1 << 20
TEXT: Final = "x" * MIB
V1: Final = f"{MODEL}/versions/1"
LABELS: Final = {f"label-{number:02}": "v" * 4096 for number in range(100)}
"""The most that a map of labels may hold, but for the length of the keys."""


@pytest.fixture(params=["sqlite"])
def database_url(request: pytest.FixtureRequest) -> str:
    """One dialect: what is tested is the length of answers."""
    return str(request.param)


async def pages(list_: Callable[[str], Awaitable[Any]], field: str) -> AsyncIterator[list[Any]]:
    """The items of each page, up to the last."""
    token = ""
    while True:
        answer = await list_(token)
        assert answer.ByteSize() <= 4 * MIB
        yield list(getattr(answer, field))
        token = answer.next_page_token
        if not token:
            return


async def names(list_: Callable[[str], Awaitable[Any]], field: str) -> list[str]:
    """Of all items of all pages; there must be more than one page."""
    found = [[item.name for item in page] async for page in pages(list_, field)]
    assert len(found) > 1
    return [name for page in found for name in page]


async def files_of(yard: RunningRegistry, count: int, length: int) -> list[pb.File]:
    """So many files with paths of a length, all of one blob."""
    await store(yard, b"weights")
    tail = "/".join(["d" * 200] * 5)[: length - 6]
    return [pb.File(path=f"{number:05}/{tail}", blob=blob_of(b"weights")) for number in range(count)]


async def large_version(yard: RunningRegistry) -> pb.Version:
    """About as large as one may be at its commit, most of it facts."""
    await make_model(yard)
    version = pb.Version(files=await files_of(yard, 1, 20))
    for number in range(780):
        version.params[f"param-{number}"].string_value = "p" * 4096
    assert 3 * MIB < version.ByteSize() < 7 * MIB // 2
    return await yard.registry.CreateVersion(rpc.CreateVersionRequest(parent=MODEL, version=version))


async def update(yard: RunningRegistry, **fields: Any) -> pb.Version:
    request = rpc.UpdateVersionRequest(version=pb.Version(name=V1, **fields))
    request.update_mask.paths.extend(fields)
    return await yard.registry.UpdateVersion(request)


async def test_versions_with_hundreds_of_packages(yard: RunningRegistry) -> None:
    await make_model(yard)
    packages = {f"a-package-with-a-name-{number}": f"{number}.0.1+cu121" for number in range(500)}
    version = pb.Version(files=await files_of(yard, 1, 20), environment=pb.Environment(packages=packages))
    for _ in range(400):
        await yard.registry.CreateVersion(rpc.CreateVersionRequest(parent=MODEL, version=version))

    for parent in (MODEL, f"{NAMESPACE}/models/-"):
        for view in (rpc.VERSION_VIEW_BASIC, rpc.VERSION_VIEW_FULL):

            async def list_(token: str, parent: str = parent, view: rpc.VersionView.ValueType = view) -> Any:
                request = rpc.ListVersionsRequest(parent=parent, page_size=1000, page_token=token, view=view)
                return await yard.registry.ListVersions(request)

            assert await names(list_, "versions") == [f"{MODEL}/versions/{number}" for number in range(400, 0, -1)]


async def test_models_with_long_descriptions(yard: RunningRegistry) -> None:
    """Also namespaces with such: listed, and models searched too."""
    for number in range(12):
        model = pb.Model(description=f"fraud {TEXT[:-6]}")
        request = rpc.CreateModelRequest(parent=NAMESPACE, model_id=f"m{number:02}", model=model)
        await yard.registry.CreateModel(request)
        namespace = pb.Namespace(description=TEXT, labels=LABELS, annotations=LABELS)
        await yard.registry.CreateNamespace(
            rpc.CreateNamespaceRequest(namespace_id=f"n{number:02}", namespace=namespace)
        )

    async def models(token: str) -> Any:
        return await yard.registry.ListModels(rpc.ListModelsRequest(parent=NAMESPACE, page_size=1000, page_token=token))

    async def found(token: str) -> Any:
        return await yard.registry.SearchModels(
            rpc.SearchModelsRequest(parent=NAMESPACE, query="fraud", page_size=1000, page_token=token)
        )

    async def namespaces(token: str) -> Any:
        return await yard.registry.ListNamespaces(rpc.ListNamespacesRequest(page_size=1000, page_token=token))

    expected = [f"{NAMESPACE}/models/m{number:02}" for number in range(12)]
    assert await names(models, "models") == expected
    assert sorted(await names(found, "models")) == expected
    assert await names(namespaces, "namespaces") == [NAMESPACE, *(f"namespaces/n{number:02}" for number in range(12))]


async def test_a_version_of_ten_thousand_files(yard: RunningRegistry) -> None:
    await make_model(yard)
    files = await files_of(yard, 10_000, 250)

    made = await yard.registry.CreateVersion(
        rpc.CreateVersionRequest(
            parent=MODEL, version=pb.Version(files=files), view=rpc.VERSION_VIEW_FULL, request_id=request_id()
        )
    )
    got = await yard.registry.GetVersion(rpc.GetVersionRequest(name=made.name))
    resolved = await yard.registry.ResolveVersion(rpc.ResolveVersionRequest(reference="fraud@1"))

    assert len(got.files) == len(resolved.version.files) == len(made.files) == 10_000
    assert got == made == resolved.version


async def test_a_version_can_not_outgrow_a_message(yard: RunningRegistry) -> None:
    await large_version(yard)
    before = await yard.dump()

    for fields in ({"description": TEXT}, {"description": TEXT[: MIB // 4], "labels": LABELS, "annotations": LABELS}):
        got = await refused(update(yard, **fields))
        assert (got.code, got.reason, got.fields) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", ["version"])
        assert "shorten" in got.message
    assert await yard.dump() == before

    updated = await update(yard, description=TEXT[: MIB // 4], labels={"a": "b"})
    assert updated.ByteSize() < 4 * MIB
    assert len((await update(yard, description="")).description) == 0


async def test_events_with_large_snapshots(yard: RunningRegistry) -> None:
    """The largest there are: everything that people edit is full, and all of it changes at once."""
    await large_version(yard)
    await update(yard, description="a" * (MIB // 2))
    await update(yard, description="b" * (MIB // 2))
    for letter in "ab":
        edited = {name: "".join(letter * 4096) for name in LABELS}
        model = pb.Model(name=MODEL, description=letter * MIB, labels=edited, annotations=edited)
        await yard.registry.UpdateModel(rpc.UpdateModelRequest(model=model))

    async def list_(token: str) -> Any:
        return await yard.events.ListEvents(
            events_pb2.ListEventsRequest(parent=MODEL, page_size=1000, page_token=token)
        )

    listed = [event async for page in pages(list_, "events") for event in page]
    watched: list[events_pb2.Event] = []
    watch = yard.events.WatchEvents(events_pb2.WatchEventsRequest(parent=MODEL, start_revision=1))
    async for answer in watch:
        assert answer.ByteSize() <= 4 * MIB
        watched += answer.events
        if len(watched) == len(listed):
            break
    watch.cancel()

    assert watched == listed
    types = ["model.created", "version.created", *["version.updated"] * 2, *["model.updated"] * 2]
    assert [event.type for event in listed] == types
    version, model_event = listed[3], listed[5]
    assert version.version.description == "b" * (MIB // 2)
    assert version.changes["description"].omitted
    assert not version.changes["description"].HasField("before")
    assert model_event.model.description == "b" * MIB
    assert model_event.changes["description"].omitted
    # Only as much is left out as must be.
    assert not model_event.changes["labels"].omitted
    assert not listed[4].changes["labels"].omitted


async def test_comparisons_and_lineage_of_large_versions(yard: RunningRegistry) -> None:
    await large_version(yard)
    await update(yard, description=TEXT[: MIB // 4])
    datasets = [
        pb.Dataset(name=f"d{number}", uri="u" * 4000, digest="d" * 4000, role=pb.Dataset.ROLE_TRAINING)
        for number in range(400)
    ]
    parents = [pb.Parent(version=V1, relation=pb.Parent.RELATION_FINE_TUNED_FROM)]
    version = pb.Version(files=await files_of(yard, 1, 20), datasets=datasets, parents=parents)
    await yard.registry.CreateVersion(rpc.CreateVersionRequest(parent=MODEL, version=version))

    compared = await yard.registry.CompareVersions(rpc.CompareVersionsRequest(base=V1, other=f"{MODEL}/versions/2"))
    request = lineage_pb2.QueryLineageRequest(
        parent=NAMESPACE, version=f"{MODEL}/versions/2", direction=lineage_pb2.QueryLineageRequest.DIRECTION_UPSTREAM
    )
    graph = await yard.lineage.QueryLineage(request)

    assert compared.truncated
    assert (compared.base.name, compared.other.name) == (V1, f"{MODEL}/versions/2")
    assert graph.truncated
    ids = {node.id for node in graph.nodes}
    assert len(ids) > 100
    assert f"{MODEL}/versions/2" in ids
    assert {edge.source for edge in graph.edges} | {edge.target for edge in graph.edges} <= ids


async def test_evaluations_with_many_metrics(yard: RunningRegistry) -> None:
    await make_model(yard)
    await commit(yard)
    metrics = {f"{number:05}{'m' * 240}": 0.5 for number in range(8_000)}
    made = []
    for _ in range(4):
        evaluation = pb.Evaluation(dataset=pb.Dataset(name="test", role=pb.Dataset.ROLE_TEST), metrics=metrics)
        request = evaluations_pb2.CreateEvaluationRequest(parent=V1, evaluation=evaluation)
        made.append((await yard.evaluations.CreateEvaluation(request)).name)

    async def list_(token: str) -> Any:
        return await yard.evaluations.ListEvaluations(
            evaluations_pb2.ListEvaluationsRequest(parent=V1, page_size=1000, page_token=token)
        )

    assert sorted(await names(list_, "evaluations")) == sorted(made)
    evaluation.slices.add(name="s", metrics=metrics)
    request = evaluations_pb2.CreateEvaluationRequest(parent=V1, evaluation=evaluation)
    assert (await refused(yard.evaluations.CreateEvaluation(request))).fields == ["evaluation"]

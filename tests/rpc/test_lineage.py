"""What was made from what: up, down, and from data sets, commits and runs."""

from collections.abc import Sequence
from typing import Any

import grpc
import pytest
from tests.support.registry import RunningRegistry, refused
from tests.support.requests import NAMESPACE, blob_of, make_model, store

from modelyard.v1 import lineage_pb2 as rpc
from modelyard.v1 import registry_pb2 as registry
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.lineage import service as lineage

UP, DOWN = rpc.QueryLineageRequest.DIRECTION_UPSTREAM, rpc.QueryLineageRequest.DIRECTION_DOWNSTREAM


def name(model: str, number: int = 1) -> str:
    return f"{NAMESPACE}/models/{model}/versions/{number}"


async def push(
    yard: RunningRegistry, model: str, *parents: str, dataset: str = "", alias: str = "", **fields: object
) -> pb.Version:
    """A version of a model that is made if it is missing."""
    if not await yard.sql("SELECT 1 FROM models WHERE id = :id", id=model):
        await make_model(yard, model)
    await store(yard, b"weights")
    version = pb.Version(files=[pb.File(path="m", blob=blob_of(b"weights"))], **fields)  # type: ignore[arg-type]
    for parent in parents:
        version.parents.add(version=parent, relation=pb.Parent.RELATION_FINE_TUNED_FROM)
    if dataset:
        version.datasets.add(name=dataset, role=pb.Dataset.ROLE_TRAINING, digest="md5:1", uri="s3://b/x")
    parent = f"{NAMESPACE}/models/{model}"
    request = registry.CreateVersionRequest(parent=parent, version=version, alias_ids=[alias] if alias else [])
    return await yard.registry.CreateVersion(request)


async def family(yard: RunningRegistry) -> None:
    """base → tuned → (quantized, merged); other → merged."""
    source = pb.Source(commit="abc", repository="git@host:repo")
    await push(yard, "base", dataset="web", run=pb.Run(tracker="wandb", id="r1"))
    await push(yard, "other", dataset="books")
    await push(yard, "tuned", name("base"), dataset="sales", source=source, alias="production")
    await push(yard, "quantized", name("tuned"))
    await push(yard, "merged", name("tuned"), name("other"), alias="canary")


async def query(yard: RunningRegistry, direction: int = UP, depth: int = 0, **origin: Any) -> rpc.QueryLineageResponse:
    request = rpc.QueryLineageRequest(parent=NAMESPACE, direction=direction, depth=depth, **origin)  # type: ignore[arg-type]  # an int is an enum
    return await yard.lineage.QueryLineage(request)


def ids(answer: rpc.QueryLineageResponse) -> dict[str, int]:
    """Short ids to distances."""
    return {node.id.removeprefix(f"{NAMESPACE}/models/"): node.distance for node in answer.nodes}


def relation_of(edge: rpc.LineageEdge) -> str:
    return rpc.LineageEdge.Relation.Name(edge.relation).removeprefix("RELATION_")


def edges(answer: rpc.QueryLineageResponse) -> Sequence[tuple[str, str, str]]:
    prefix = f"{NAMESPACE}/models/"
    return sorted(
        (edge.source.removeprefix(prefix), edge.target.removeprefix(prefix), relation_of(edge)) for edge in answer.edges
    )


async def test_where_a_version_came_from(yard: RunningRegistry) -> None:
    await family(yard)

    answer = await query(yard, version=name("merged"))

    assert ids(answer) == {
        "merged/versions/1": 0,
        "tuned/versions/1": 1,
        "other/versions/1": 1,
        "dataset:sales@md5:1": 2,
        "commit:abc": 2,
        "dataset:books@md5:1": 2,
        "base/versions/1": 2,
        "dataset:web@md5:1": 3,
        "run:wandb/r1": 3,
    }
    assert edges(answer) == [
        ("base/versions/1", "tuned/versions/1", "FINE_TUNED_FROM"),
        ("commit:abc", "tuned/versions/1", "SOURCE"),
        ("dataset:books@md5:1", "other/versions/1", "TRAINING_DATA"),
        ("dataset:sales@md5:1", "tuned/versions/1", "TRAINING_DATA"),
        ("dataset:web@md5:1", "base/versions/1", "TRAINING_DATA"),
        ("other/versions/1", "merged/versions/1", "FINE_TUNED_FROM"),
        ("run:wandb/r1", "base/versions/1", "RUN"),
        ("tuned/versions/1", "merged/versions/1", "FINE_TUNED_FROM"),
    ]
    pinned = {edge.target: edge.manifest_digest for edge in answer.edges if relation_of(edge) == "FINE_TUNED_FROM"}
    assert all(digest.startswith("sha256:") for digest in pinned.values())
    assert not answer.truncated


@pytest.mark.parametrize(
    "origin", [{"dataset": "web"}, {"version": name("base")}, {"run": "r1"}], ids=lambda origin: next(iter(origin))
)
async def test_what_is_affected_is_told_with_its_aliases(yard: RunningRegistry, origin: dict[str, str]) -> None:
    await family(yard)

    answer = await query(yard, DOWN, 0, **origin)

    versions = {
        node.version.name.split("/")[3]: list(node.version.aliases) for node in answer.nodes if node.version.name
    }
    assert versions == {"base": [], "tuned": ["production"], "quantized": [], "merged": ["canary"]}
    assert not answer.truncated


@pytest.mark.parametrize(("kind", "value"), [("dataset", "sales"), ("dataset", "s3://b/x"), ("commit", "abc")])
async def test_things_are_found_by_each_of_their_names(yard: RunningRegistry, kind: str, value: str) -> None:
    await family(yard)

    found = ids(await query(yard, DOWN, 0, **{kind: value}))

    assert {"tuned/versions/1", "quantized/versions/1", "merged/versions/1"} <= found.keys()


async def test_depth_and_size_are_bounded_and_it_says_so(
    yard: RunningRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    await family(yard)

    near = await query(yard, DOWN, 1, version=name("base"))
    assert (ids(near), near.truncated) == ({"base/versions/1": 0, "tuned/versions/1": 1}, True)
    up = await query(yard, UP, 1, version=name("merged"))
    assert up.truncated
    assert "base/versions/1" not in ids(up)
    monkeypatch.setattr(lineage, "NODES", 2)
    few = await query(yard, DOWN, version=name("base"))
    assert (len(few.nodes), few.truncated) == (2, True)


async def test_a_parent_of_something_live_is_not_deleted(yard: RunningRegistry) -> None:
    await family(yard)

    got = await refused(yard.registry.DeleteVersion(registry.DeleteVersionRequest(name=name("other"))))
    assert (got.code, got.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "VERSION_IN_USE")
    assert got.info.metadata["usedBy"] == name("merged")

    await yard.registry.DeleteAlias(registry.DeleteAliasRequest(name=f"{NAMESPACE}/models/merged/aliases/canary"))
    for model in ("merged", "other"):
        await yard.registry.DeleteVersion(registry.DeleteVersionRequest(name=name(model)))
    deleted = await query(yard, version=name("merged"))
    states = {node.id: node.version.state for node in deleted.nodes if node.version.name}
    assert states[name("other")] == pb.Version.STATE_DELETED


async def test_a_model_is_not_deleted_with_parents_of_something_live(yard: RunningRegistry) -> None:
    await family(yard)
    request = registry.DeleteModelRequest(name=f"{NAMESPACE}/models/base", force=True)

    got = await refused(yard.registry.DeleteModel(request))

    assert (got.code, got.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "VERSION_IN_USE")
    assert got.info.metadata["usedBy"] == name("tuned")


async def test_nothing_is_made_from_itself(yard: RunningRegistry) -> None:
    """A parent must be there before its child, so that there are no cycles."""
    await make_model(yard)
    got = await refused(push(yard, "fraud", name("fraud")))

    assert (got.code, got.reason) == (grpc.StatusCode.NOT_FOUND, "VERSION_NOT_FOUND")


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"version": name("base")}, ["direction"]),
        ({"direction": UP}, ["version"]),
        ({"direction": UP, "dataset": "web"}, ["direction"]),
        ({"direction": DOWN, "dataset": ""}, ["dataset"]),
        ({"direction": DOWN, "version": "fraud@7", "depth": 51}, ["version", "depth"]),
        ({"direction": 9, "commit": "abc", "depth": -1}, ["direction", "depth"]),
    ],
    ids=str,
)
@pytest.mark.asyncio(loop_scope="module")
async def test_wrong_questions_are_refused(
    fraud_yard: RunningRegistry, fields: dict[str, object], wrong: list[str]
) -> None:
    request = rpc.QueryLineageRequest(parent=NAMESPACE, **fields)  # type: ignore[arg-type]
    got = await refused(fraud_yard.lineage.QueryLineage(request))

    assert (got.code, got.fields) == (grpc.StatusCode.INVALID_ARGUMENT, wrong)


async def test_what_is_missing_is_not_found(yard: RunningRegistry) -> None:
    got = await refused(query(yard, version=name("nothing")))

    assert (got.code, got.reason) == (grpc.StatusCode.NOT_FOUND, "MODEL_NOT_FOUND")
    assert ids(await query(yard, DOWN, dataset="nobody's")) == {}

"""Evaluations: added at any time, searched by their latest, corrected by others, never changed."""

import math
from typing import Any
from uuid import uuid4

import grpc
import pytest
from tests.support.registry import RunningRegistry, refused
from tests.support.requests import MODEL, NAMESPACE, commit, make_model, request_id

from modelyard.v1 import evaluations_pb2 as rpc
from modelyard.v1 import events_pb2
from modelyard.v1 import registry_pb2 as registry
from modelyard.v1 import resources_pb2 as pb

V1, V2 = (f"{MODEL}/versions/{number}" for number in (1, 2))


def evaluation(dataset: str = "test", supersedes: str = "", **metrics: float) -> pb.Evaluation:
    return pb.Evaluation(dataset=pb.Dataset(name=dataset), metrics=metrics, supersedes=supersedes)


async def evaluate(yard: RunningRegistry, given: pb.Evaluation, parent: str = V1, **more: Any) -> pb.Evaluation:
    yard.clock.advance(60)
    request = rpc.CreateEvaluationRequest(parent=parent, evaluation=given, **more)
    return await yard.evaluations.CreateEvaluation(request)


async def two_versions(yard: RunningRegistry) -> None:
    await make_model(yard)
    await commit(yard, b"one")
    await commit(yard, b"two")


async def found(yard: RunningRegistry, text: str = "", order_by: str = "") -> list[int]:
    request = registry.ListVersionsRequest(parent=MODEL, filter=text, order_by=order_by)
    return [version.number for version in (await yard.registry.ListVersions(request)).versions]


async def test_what_was_added_is_read_back_and_logged(yard: RunningRegistry) -> None:
    await two_versions(yard)
    given = evaluation(auc=0.91, loss=0.2)
    given.directions["auc"] = pb.Evaluation.DIRECTION_HIGHER_IS_BETTER
    given.slices.add(name="country = DE", metrics={"auc": 0.88})
    given.harness = "nightly 1.2"

    made = await evaluate(yard, given)

    assert await yard.evaluations.GetEvaluation(rpc.GetEvaluationRequest(name=made.name)) == made
    assert (made.created_by, dict(made.metrics)) == ("anonymous", {"auc": 0.91, "loss": 0.2})
    assert (made.harness, made.slices[0].metrics["auc"]) == ("nightly 1.2", 0.88)
    request = events_pb2.ListEventsRequest(parent=MODEL, order_by="revision desc", page_size=1)
    (event,) = (await yard.events.ListEvents(request)).events
    assert (event.type, event.resource, event.evaluation) == ("evaluation.created", made.name, made)


async def test_versions_are_searched_and_sorted_by_the_latest(yard: RunningRegistry) -> None:
    await two_versions(yard)
    await evaluate(yard, evaluation(auc=0.9, loss=0.5))
    await evaluate(yard, evaluation(auc=0.95), V2)
    await evaluate(yard, evaluation("other", auc=0.1), V2)
    assert await found(yard, "evaluations.test.auc > 0.92") == [2]
    assert await found(yard, order_by="evaluations.test.auc desc") == [2, 1]

    await evaluate(yard, evaluation(auc=0.99))

    assert await found(yard, order_by="evaluations.test.auc desc") == [1, 2]
    assert await found(yard, "evaluations.test.loss = 0.5") == [1]
    assert await found(yard, "evaluations.other.auc:*") == [2]


async def test_a_correction_supersedes_the_corrected_evaluation(yard: RunningRegistry) -> None:
    await two_versions(yard)
    await evaluate(yard, evaluation(auc=0.8, recall=0.7))
    wrong = await evaluate(yard, evaluation(auc=0.99, loss=0.1))

    right = await evaluate(yard, evaluation(auc=0.9, supersedes=wrong.name))

    assert await found(yard, "evaluations.test.auc = 0.9 AND evaluations.test.recall = 0.7") == [1]
    assert await found(yard, "evaluations.test.loss:*") == []
    corrected = await yard.evaluations.GetEvaluation(rpc.GetEvaluationRequest(name=wrong.name))
    assert (corrected.superseded_by, dict(corrected.metrics)) == (right.name, {"auc": 0.99, "loss": 0.1})
    got = await refused(evaluate(yard, evaluation(auc=1.0, supersedes=wrong.name)))
    assert (got.code, got.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ALREADY_SUPERSEDED")
    assert got.info.metadata["supersededBy"] == right.name


async def test_lists_go_on_newest_first(yard: RunningRegistry) -> None:
    await two_versions(yard)
    names = [(await evaluate(yard, evaluation(auc=number / 10))).name for number in range(5)]
    listed: list[str] = []
    request = rpc.ListEvaluationsRequest(parent=V1, page_size=2)
    while True:
        page = await yard.evaluations.ListEvaluations(request)
        listed += [each.name for each in page.evaluations]
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break
    assert listed == names[::-1]


async def test_a_retry_adds_one(yard: RunningRegistry) -> None:
    await two_versions(yard)
    retry = request_id()
    first = await evaluate(yard, evaluation(auc=0.9), request_id=retry)

    assert await evaluate(yard, evaluation(auc=0.9), request_id=retry) == first
    tried = await evaluate(yard, evaluation(auc=0.5), validate_only=True)
    assert tried.metrics["auc"] == 0.5
    assert len((await yard.evaluations.ListEvaluations(rpc.ListEvaluationsRequest(parent=V1))).evaluations) == 1


async def test_only_ready_versions_can_be_evaluated(yard: RunningRegistry) -> None:
    await two_versions(yard)
    await yard.registry.DeprecateVersion(registry.DeprecateVersionRequest(name=V1, reason="old"))

    got = await refused(evaluate(yard, evaluation(auc=0.9)))

    assert (got.code, got.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "VERSION_NOT_READY")


async def test_an_id_is_taken_once(yard: RunningRegistry) -> None:
    await two_versions(yard)
    identity = str(uuid4())
    made = await evaluate(yard, evaluation(auc=0.9), evaluation_id=identity)
    assert made.name == f"{V1}/evaluations/{identity}"

    got = await refused(evaluate(yard, evaluation(auc=0.9), evaluation_id=identity))

    assert (got.code, got.reason) == (grpc.StatusCode.ALREADY_EXISTS, "EVALUATION_EXISTS")

    elsewhere = await refused(evaluate(yard, evaluation(auc=0.9), V2, evaluation_id=identity))

    assert (elsewhere.code, elsewhere.reason) == (grpc.StatusCode.ALREADY_EXISTS, "EVALUATION_EXISTS")
    assert "is taken by an evaluation of another version. Use another id." in elsewhere.message


_STRANGE: Any = 9
"""Of an enum that knows no such value."""


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (evaluation(auc=math.nan), "evaluation.metrics['auc']"),
        (evaluation(auc=math.inf), "evaluation.metrics['auc']"),
        (evaluation(), "evaluation.metrics"),
        (evaluation("", auc=1), "evaluation.dataset.name"),
        (
            pb.Evaluation(
                dataset=pb.Dataset(name="t"),
                metrics={"a": 1},
                directions={"b": pb.Evaluation.DIRECTION_HIGHER_IS_BETTER},
            ),
            "evaluation.directions['b']",
        ),
        (
            pb.Evaluation(dataset=pb.Dataset(name="t"), metrics={"a": 1}, directions={"a": _STRANGE}),
            "evaluation.directions['a']",
        ),
        (pb.Evaluation(dataset=pb.Dataset(name="t", role=_STRANGE), metrics={"a": 1}), "evaluation.dataset.role"),
        (evaluation(auc=1, supersedes=f"{V2}/evaluations/{uuid4()}"), "evaluation.supersedes"),
    ],
    ids=range(8),
)
@pytest.mark.asyncio(loop_scope="module")
async def test_wrong_evaluations_are_refused(fraud_yard: RunningRegistry, given: pb.Evaluation, field: str) -> None:
    before = await fraud_yard.dump()

    got = await refused(evaluate(fraud_yard, given))

    assert (got.code, got.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert field in got.fields
    assert await fraud_yard.dump() == before


async def test_what_is_missing_is_not_found(yard: RunningRegistry) -> None:
    await two_versions(yard)
    nowhere = f"{V1}/evaluations/{uuid4()}"
    for call in (
        yard.evaluations.GetEvaluation(rpc.GetEvaluationRequest(name=nowhere)),
        evaluate(yard, evaluation(auc=1, supersedes=nowhere)),
    ):
        got = await refused(call)
        assert (got.code, got.reason) == (grpc.StatusCode.NOT_FOUND, "EVALUATION_NOT_FOUND")
    got = await refused(evaluate(yard, evaluation(auc=1), f"{NAMESPACE}/models/none/versions/1"))
    assert got.reason == "MODEL_NOT_FOUND"

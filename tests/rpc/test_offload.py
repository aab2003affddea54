"""What takes long runs beside the event loop: it holds up no other call."""

import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.support.registry import RunningRegistry
from tests.support.requests import MODEL, NAMESPACE, commit, make_model, store, version_of

from modelyard import wire
from modelyard.v1 import evaluations_pb2, lineage_pb2
from modelyard.v1 import registry_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.comparison import service as comparing
from modelyard_server.comparison import servicer as comparison
from modelyard_server.evaluations import servicer as evaluations
from modelyard_server.query.requests import Lists
from modelyard_server.registry.versions import recorded

_SMALL, _LARGE = (f"{MODEL}/versions/{number}" for number in (1, 2))
_MANY = {f"metric-{number}": float(number) for number in range(2000)}
_EVALUATION = pb.Evaluation(dataset=pb.Dataset(name="test", role=pb.Dataset.ROLE_TEST), metrics=_MANY)

_CALLS: dict[str, Callable[[RunningRegistry], Awaitable[Any]]] = {
    "GetVersion": lambda yard: yard.registry.GetVersion(rpc.GetVersionRequest(name=_LARGE)),
    "ResolveVersion": lambda yard: yard.registry.ResolveVersion(rpc.ResolveVersionRequest(reference="fraud@2")),
    "CreateVersion": lambda yard: yard.registry.CreateVersion(
        rpc.CreateVersionRequest(parent=MODEL, version=version_of({"model.bin": b"weights"}, metrics=_MANY))
    ),
    "UpdateVersion": lambda yard: yard.registry.UpdateVersion(
        rpc.UpdateVersionRequest(version=pb.Version(name=_LARGE, description="new"))
    ),
    "ListVersions": lambda yard: yard.registry.ListVersions(rpc.ListVersionsRequest(parent=MODEL)),
    "CompareVersions": lambda yard: yard.registry.CompareVersions(
        rpc.CompareVersionsRequest(base=_LARGE, other=_SMALL)
    ),
    "QueryLineage": lambda yard: yard.lineage.QueryLineage(
        lineage_pb2.QueryLineageRequest(
            parent=NAMESPACE, version=_LARGE, direction=lineage_pb2.QueryLineageRequest.DIRECTION_UPSTREAM
        )
    ),
    "ListEvaluations": lambda yard: yard.evaluations.ListEvaluations(
        evaluations_pb2.ListEvaluationsRequest(parent=_LARGE)
    ),
    "CreateEvaluation": lambda yard: yard.evaluations.CreateEvaluation(
        evaluations_pb2.CreateEvaluationRequest(parent=_LARGE, evaluation=_EVALUATION)
    ),
}


@pytest.fixture
def database_url() -> str:
    """The embedded one. With PostgreSQL, rows arrive on the loop."""
    return "sqlite"


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> set[threading.Thread]:
    """The threads that decoded, read or rendered a long message."""
    seen: set[threading.Thread] = set()

    def watch(place: Any, name: str, size: Callable[..., int]) -> None:
        real = getattr(place, name)

        def watched(*args: Any, **kwargs: Any) -> Any:
            if size(*args) >= len(_MANY):
                seen.add(threading.current_thread())
            return real(*args, **kwargs)

        monkeypatch.setattr(place, name, watched)

    watch(recorded, "facts_from_json", lambda stored: len(stored.get("metrics", ())))
    watch(wire, "facts_into_proto", lambda given, _message: len(given.metrics))
    watch(wire, "facts_from_proto", lambda given: len(given.metrics))
    watch(Lists, "_answer", lambda _lists, _query, page, _render: page.bytes)
    watch(evaluations, "evaluation_message", lambda evaluation: len(evaluation.metrics))
    watch(comparison, "comparison_message", lambda compared, _size: len(compared.differences))
    watch(comparing, "compare", lambda base, _other: len(base.facts.metrics))
    return seen


@pytest.mark.parametrize("method", _CALLS)
async def test_long_work_leaves_the_loop_alone(
    yard: RunningRegistry, threads: set[threading.Thread], method: str
) -> None:
    await make_model(yard)
    await commit(yard)
    await store(yard, b"weights")
    version = version_of({"model.bin": b"weights"}, metrics=_MANY)
    await yard.registry.CreateVersion(rpc.CreateVersionRequest(parent=MODEL, version=version))
    await yard.evaluations.CreateEvaluation(
        evaluations_pb2.CreateEvaluationRequest(parent=_LARGE, evaluation=_EVALUATION)
    )
    threads.clear()

    await _CALLS[method](yard)

    assert threads
    assert threading.current_thread() not in threads

"""How many resources one parent may have: each list is bounded, so no call gets slower for ever."""

from pathlib import Path

import grpc
from tests.support.registry import refused, running_registry
from tests.support.requests import MODEL, commit, make_model

from modelyard.v1 import evaluations_pb2
from modelyard.v1 import registry_pb2 as registry
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.calls.limits import Limits


async def test_aliases_and_evaluations_are_bounded(database_url: str, tmp_path: Path) -> None:
    async with running_registry(database_url, tmp_path, limits=Limits(aliases=2, evaluations=2)) as yard:
        await make_model(yard)
        version = (await commit(yard)).name

        def alias(name: str) -> registry.SetAliasRequest:
            return registry.SetAliasRequest(alias=pb.Alias(name=f"{MODEL}/aliases/{name}", version=version))

        def evaluation() -> evaluations_pb2.CreateEvaluationRequest:
            measured = pb.Evaluation(dataset=pb.Dataset(name="test", role=pb.Dataset.ROLE_TEST), metrics={"auc": 0.5})
            return evaluations_pb2.CreateEvaluationRequest(parent=version, evaluation=measured)

        for name in ("one", "two", "one"):
            await yard.registry.SetAlias(alias(name))
        for _ in range(2):
            await yard.evaluations.CreateEvaluation(evaluation())
        another = await refused(yard.registry.SetAlias(alias("three")))
        more = await refused(yard.evaluations.CreateEvaluation(evaluation()))

    assert (another.code, another.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_ALIASES")
    assert (more.code, more.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_EVALUATIONS")
    assert another.info.metadata["limit"] == more.info.metadata["limit"] == "2"

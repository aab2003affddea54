"""EvaluationsService: parse, one service call, render."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import grpc

from modelyard import wire
from modelyard.core.facts import Slice
from modelyard.core.names import EvaluationName, VersionName
from modelyard.v1 import evaluations_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb
from modelyard.v1.evaluations_pb2_grpc import EvaluationsServiceServicer
from modelyard_server.calls import parsing, validation
from modelyard_server.calls.errors import FieldViolation
from modelyard_server.calls.limits import Limits
from modelyard_server.calls.page_tokens import PageTokens
from modelyard_server.calls.parsing import Collector
from modelyard_server.evaluations.service import Evaluations
from modelyard_server.registry import messages as convert
from modelyard_server.registry.values import Evaluation

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class EvaluationsServicer(EvaluationsServiceServicer):
    """What versions were measured to be."""

    def __init__(self, evaluations: Evaluations, page_tokens: PageTokens, limits: Limits) -> None:
        self._evaluations = evaluations
        self._page_tokens = page_tokens
        self._limits = limits

    async def CreateEvaluation(self, request: rpc.CreateEvaluationRequest, context: Context) -> pb.Evaluation:
        collector = Collector()
        parent = collector.parse("parent", VersionName.parse, request.parent)
        if request.evaluation_id:
            collector.add(validation.uuid4("evaluation_id", request.evaluation_id))
        unknown = list(_unknown(request.evaluation))
        collector.add(unknown)
        if parent is not None and not unknown:
            evaluation = self._parsed(request, parent, self._evaluations.mutations.clock())
            collector.add(validation.evaluation("evaluation", evaluation, self._limits))
        attempt = parsing.attempt(request, collector)
        collector.raise_any()
        return convert.evaluation(await self._evaluations.create(attempt, evaluation))

    @staticmethod
    def _parsed(request: rpc.CreateEvaluationRequest, parent: VersionName, now: datetime) -> Evaluation:
        given = request.evaluation
        try:
            identity = str(UUID(request.evaluation_id)) if request.evaluation_id else str(uuid4())
        except ValueError:  # a violation already
            identity = ""
        return Evaluation(
            uid=identity,
            create_time=now,
            update_time=now,
            name=EvaluationName(parent, identity),
            dataset=wire.dataset_from_proto(given.dataset),
            metrics=dict(given.metrics),
            directions={
                metric: wire.DIRECTIONS.from_proto(direction)
                for metric, direction in given.directions.items()
                if direction != pb.Evaluation.DIRECTION_UNSPECIFIED
            },
            slices=tuple(Slice(name=each.name, metrics=dict(each.metrics)) for each in given.slices),
            harness=given.harness,
            supersedes=given.supersedes,
        )

    async def GetEvaluation(self, request: rpc.GetEvaluationRequest, context: Context) -> pb.Evaluation:
        name = parsing.one("name", EvaluationName.parse, request.name)
        return convert.evaluation(await self._evaluations.get(name))

    async def ListEvaluations(
        self, request: rpc.ListEvaluationsRequest, context: Context
    ) -> rpc.ListEvaluationsResponse:
        collector = Collector()
        parent = collector.parse("parent", VersionName.parse, request.parent)
        query = parsing.query(request, self._page_tokens, self._limits, collector)
        assert parent is not None
        before = query.position if isinstance(query.position, int) else None
        page = await self._evaluations.page(parent, before=before, size=query.size)
        return rpc.ListEvaluationsResponse(
            evaluations=map(convert.evaluation, page.items),
            next_page_token=self._page_tokens.seal(query.text, page.items[-1].key) if page.more else "",
        )


def _unknown(message: pb.Evaluation) -> Iterable[FieldViolation]:
    """Values of enums that this server does not know."""
    if message.dataset.role not in pb.Dataset.Role.values():
        yield FieldViolation("evaluation.dataset.role", f"{message.dataset.role} is no role that this server knows")
    if message.dataset.fingerprint not in pb.Dataset.Fingerprint.values():
        text = f"{message.dataset.fingerprint} is no kind of fingerprint that this server knows"
        yield FieldViolation("evaluation.dataset.fingerprint", text)
    for metric, direction in message.directions.items():
        if direction not in pb.Evaluation.Direction.values():
            at = f"evaluation.directions[{metric[:40]!a}]"
            yield FieldViolation(at, f"{direction} is no direction that this server knows")

"""EvaluationsService: parse, one service call, render."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID, uuid4

from modelyard import wire
from modelyard.core.facts import Slice
from modelyard.core.names import EvaluationName, VersionName
from modelyard.v1 import evaluations_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.calls import parsing, validation
from modelyard_server.calls.call import Call
from modelyard_server.calls.caller import Attempt
from modelyard_server.calls.errors import FieldViolation
from modelyard_server.calls.limits import Limits
from modelyard_server.calls.offload import offload
from modelyard_server.calls.parsing import Collector
from modelyard_server.evaluations import rules
from modelyard_server.evaluations.messages import evaluation_message
from modelyard_server.evaluations.service import Evaluations
from modelyard_server.evaluations.values import Evaluation
from modelyard_server.query.requests import Lists
from modelyard_server.registry.versions.parsing import unknown_directions


class EvaluationsServicer:
    """Answers EvaluationsService."""

    def __init__(self, evaluations: Evaluations, lists: Lists, limits: Limits) -> None:
        self._evaluations = evaluations
        self._lists = lists
        self._limits = limits

    async def CreateEvaluation(self, request: rpc.CreateEvaluationRequest, call: Call) -> pb.Evaluation:
        evaluation, attempt = await offload(call.entries, self._read, request, call)
        created = await self._evaluations.create(attempt, evaluation)
        return await offload(call.entries, evaluation_message, created)

    def _read(self, request: rpc.CreateEvaluationRequest, call: Call) -> tuple[Evaluation, Attempt]:
        collector = Collector()
        parent = collector.parse("parent", VersionName.parse, request.parent)
        if request.evaluation_id:
            collector.add(validation.uuid4("evaluation_id", request.evaluation_id))
        if (size := request.evaluation.ByteSize()) > self._limits.version_bytes:
            text = f"is {size} bytes long; at most {self._limits.version_bytes} fit: fewer metrics or slices"
            collector.add([FieldViolation("evaluation", text)])
        unknown = list(_unknown(request.evaluation))
        collector.add(unknown)
        if parent is not None and not unknown:
            evaluation = self._parsed(request, parent, self._evaluations.mutations.clock())
            collector.add(rules.evaluation("evaluation", evaluation, self._limits))
        attempt = parsing.attempt(call, request, collector)
        collector.raise_any()
        return evaluation, attempt

    @staticmethod
    def _parsed(request: rpc.CreateEvaluationRequest, parent: VersionName, now: datetime) -> Evaluation:
        given = request.evaluation
        try:
            identity = str(UUID(request.evaluation_id)) if request.evaluation_id else str(uuid4())
        except ValueError:  # already in the violations
            identity = ""
        return Evaluation(
            uid=identity,
            create_time=now,
            update_time=now,
            name=EvaluationName(parent, identity),
            dataset=wire.dataset_from_proto(given.dataset),
            metrics=dict(given.metrics),
            directions=wire.directions_from_proto(given.directions),
            slices=tuple(Slice(name=each.name, metrics=dict(each.metrics)) for each in given.slices),
            harness=given.harness,
            supersedes=given.supersedes,
        )

    async def GetEvaluation(self, request: rpc.GetEvaluationRequest, call: Call) -> pb.Evaluation:
        name = parsing.one("name", EvaluationName.parse, request.name)
        evaluation = await self._evaluations.get(call.caller, name)
        return await offload(evaluation.entries, evaluation_message, evaluation)

    async def ListEvaluations(self, request: rpc.ListEvaluationsRequest, call: Call) -> rpc.ListEvaluationsResponse:
        collector = Collector()
        parent = collector.parse("parent", VersionName.parse, request.parent)
        query = self._lists.query(request, collector)
        assert parent is not None
        before = query.after_key
        page = await self._evaluations.page(call.caller, parent, before=before, size=query.size)
        evaluations, token = await self._lists.answer(query, page, evaluation_message)
        return rpc.ListEvaluationsResponse(evaluations=evaluations, next_page_token=token)


def _unknown(message: pb.Evaluation) -> Iterable[FieldViolation]:
    """Violations for enum values that this server does not know."""
    if message.dataset.role not in pb.Dataset.Role.values():
        yield FieldViolation("evaluation.dataset.role", f"{message.dataset.role} is not a role that this server knows")
    if message.dataset.fingerprint not in pb.Dataset.Fingerprint.values():
        text = f"{message.dataset.fingerprint} is not a kind of fingerprint that this server knows"
        yield FieldViolation("evaluation.dataset.fingerprint", text)
    yield from unknown_directions("evaluation.directions", message.directions)

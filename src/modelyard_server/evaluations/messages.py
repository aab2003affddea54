"""Evaluations as messages."""

from modelyard import wire
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.evaluations.values import Evaluation


def evaluation_message(evaluation: Evaluation) -> pb.Evaluation:
    return pb.Evaluation(
        name=str(evaluation.name),
        dataset=wire.dataset_to_proto(evaluation.dataset),
        metrics=evaluation.metrics,
        directions=wire.directions_to_proto(evaluation.directions),
        slices=[pb.Evaluation.Slice(name=each.name, metrics=each.metrics) for each in evaluation.slices],
        harness=evaluation.harness,
        supersedes=evaluation.supersedes,
        superseded_by=evaluation.superseded_by,
        created_by=evaluation.created_by,
        create_time=wire.timestamp(evaluation.create_time),
    )

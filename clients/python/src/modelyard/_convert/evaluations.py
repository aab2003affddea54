"""An evaluation of a version."""

from modelyard.core.facts import Slice
from modelyard.core.names import EvaluationName
from modelyard.types import Evaluation
from modelyard.v1 import resources_pb2 as pb
from modelyard.wire import DIRECTIONS, dataset_from_proto, moment


def evaluation(message: pb.Evaluation) -> Evaluation:
    return Evaluation(
        name=EvaluationName.parse(message.name),
        dataset=dataset_from_proto(message.dataset),
        metrics=dict(message.metrics),
        directions={
            metric: DIRECTIONS.from_proto(direction)
            for metric, direction in message.directions.items()
            if direction in DIRECTIONS
        },
        slices=tuple(Slice(name=each.name, metrics=dict(each.metrics)) for each in message.slices),
        harness=message.harness,
        supersedes=EvaluationName.parse(message.supersedes) if message.supersedes else None,
        superseded_by=EvaluationName.parse(message.superseded_by) if message.superseded_by else None,
        created_by=message.created_by,
        create_time=moment(message.create_time),
    )

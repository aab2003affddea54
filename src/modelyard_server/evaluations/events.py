"""Encodes evaluations for the log."""

from collections.abc import Mapping
from typing import Any, Final

from modelyard.core.facts import Slice
from modelyard.core.names import EvaluationName
from modelyard_server.evaluations.messages import evaluation_message
from modelyard_server.evaluations.values import Evaluation
from modelyard_server.log.kinds import Kind
from modelyard_server.log.snapshots import COMMON, common, common_from
from modelyard_server.log.values import Json
from modelyard_server.registry.versions.facts import dataset_from_json, directions_from_json, to_json

_FIELDS_1: Final = COMMON | {
    *("dataset", "metrics", "directions", "slices", "harness", "supersedes", "created_by"),
}


def encode_measured(evaluation: Evaluation) -> Json:
    """The measured fields. The database stores them as the same JSON."""
    return {
        "dataset": to_json(evaluation.dataset),
        "metrics": dict(evaluation.metrics),
        "directions": to_json(evaluation.directions),
        "slices": to_json(evaluation.slices),
    }


def decode_measured(stored: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "dataset": dataset_from_json(stored["dataset"]),
        "metrics": stored["metrics"],
        "directions": directions_from_json(stored.get("directions", {})),
        "slices": tuple(Slice(name=each["name"], metrics=each["metrics"]) for each in stored.get("slices", ())),
    }


def encode(evaluation: Evaluation) -> Json:
    """Encodes an evaluation without ``superseded_by``: the correction has its own event."""
    return {
        **common(evaluation, evaluation.name),
        **encode_measured(evaluation),
        "harness": evaluation.harness,
        "supersedes": evaluation.supersedes,
        "created_by": evaluation.created_by,
    }


def decode(stored: Json) -> Evaluation:
    return Evaluation(
        **common_from(stored),
        **decode_measured(stored),
        name=EvaluationName.parse(stored["name"]),
        harness=stored.get("harness", ""),
        supersedes=stored.get("supersedes", ""),
        superseded_by=stored.get("superseded_by", ""),
        created_by=stored.get("created_by", ""),
    )


EVALUATION: Final = Kind(
    name="evaluation",
    verbs=("created",),
    schemas={0: _FIELDS_1, 1: _FIELDS_1},
    records=frozenset({"dataset", "slices"}),
    encode=encode,
    decode=decode,
    message_field="evaluation",
    render=evaluation_message,
)

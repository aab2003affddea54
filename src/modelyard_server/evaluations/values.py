"""Evaluations."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from modelyard.core.facts import Dataset, Direction, Slice
from modelyard.core.names import EvaluationName
from modelyard_server.calls.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation(Resource):
    """Metrics of a version on a data set. It never changes: ``update_time`` is ``create_time``."""

    name: EvaluationName
    dataset: Dataset
    metrics: Mapping[str, float]
    directions: Mapping[str, Direction] = field(default_factory=dict)
    slices: tuple[Slice, ...] = ()
    harness: str = ""
    supersedes: str = ""
    """Name of the evaluation that this one corrects."""
    created_by: str = ""
    superseded_by: str = field(default="", compare=False)
    """Name of the evaluation that corrects this one. It comes from that one's row, and is not in this one's event."""
    version_key: int = field(default=0, repr=False, compare=False)

    @property
    def entries(self) -> int:
        """How many numbers it has."""
        return len(self.metrics) + sum(len(each.metrics) for each in self.slices)

"""The rules for evaluations."""

from modelyard.core.names import EvaluationName
from modelyard_server.calls import validation
from modelyard_server.calls.errors import FieldViolation
from modelyard_server.calls.limits import Limits
from modelyard_server.calls.validation import Violations
from modelyard_server.evaluations.values import Evaluation
from modelyard_server.registry.versions import rules


def evaluation(field: str, value: Evaluation, limits: Limits) -> Violations:
    yield from rules.dataset(f"{field}.dataset", value.dataset)
    if not value.metrics:
        yield FieldViolation(f"{field}.metrics", "is required")
    yield from validation.entries(f"{field}.metrics", value.metrics, limits, validation.finite)
    yield from rules.directions(f"{field}.directions", value.directions, value.metrics)
    yield from validation.count(f"{field}.slices", value.slices, limits)
    for index, each in enumerate(value.slices):
        yield from validation.named(f"{field}.slices[{index}].name", each.name)
        yield from validation.entries(f"{field}.slices[{index}].metrics", each.metrics, limits, validation.finite)
    yield from validation.text(f"{field}.harness", value.harness, one_line=True)
    if value.supersedes:
        yield from validation.parsed(f"{field}.supersedes", EvaluationName.parse, value.supersedes)
        if value.supersedes.rpartition("/evaluations/")[0] != str(value.name.version):
            yield FieldViolation(f"{field}.supersedes", f"is not an evaluation of {value.name.version}")

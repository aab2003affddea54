"""The rules for the files and facts of a version. Each rule yields all violations that it finds."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from modelyard.core.facts import Dataset, Direction, Facts, Parent
from modelyard.core.limits import INT64, MAX_FILES, MAX_FORMAT_BYTES
from modelyard.core.manifest import File, check_digest, check_distinct, check_path
from modelyard.core.names import VersionName
from modelyard_server.calls import validation
from modelyard_server.calls.errors import FieldViolation
from modelyard_server.calls.limits import Limits
from modelyard_server.calls.validation import Violations


def files(field: str, values: Sequence[File]) -> Violations:
    if not 1 <= len(values) <= MAX_FILES:
        yield FieldViolation(field, f"has {len(values)} files; a version has at least 1 and at most {MAX_FILES}")
    for index, file in enumerate(values):
        yield from validation.parsed(f"{field}[{index}].path", check_path, file.path)
        yield from validation.parsed(f"{field}[{index}].blob.digest", check_digest, file.digest)
        yield from validation.blob_size(f"{field}[{index}].blob.size_bytes", file.size)
    try:
        check_distinct(file.path for file in values)
    except ValueError as error:
        yield FieldViolation(field, str(error))


def facts(field: str, values: Facts, limits: Limits) -> Violations:
    """Checks the frozen facts. NaN and infinities are refused: databases change them, and comparisons ignore them."""
    yield from validation.entries(f"{field}.params", values.params, limits, _param)
    yield from validation.entries(f"{field}.metrics", values.metrics, limits, validation.finite)
    yield from directions(f"{field}.directions", values.directions, values.metrics)
    yield from _datasets(f"{field}.datasets", values.datasets, limits)
    yield from _provenance(field, values, limits)
    if (framework := values.framework) is not None:
        yield from validation.named(f"{field}.framework.name", framework.name)
        yield from validation.text(f"{field}.framework.version", framework.version, one_line=True)
    yield from validation.text(f"{field}.format", values.format, max_bytes=MAX_FORMAT_BYTES, one_line=True)
    if (signature := values.signature) is not None:
        for name in ("inputs", "outputs"):
            yield from _schema(f"{field}.signature.{name}", getattr(signature, name))
    yield from _parents(f"{field}.parents", values.parents, limits)
    if (run := values.run) is not None:
        yield from validation.named(f"{field}.run.id", run.id)
        for name in ("tracker", "url"):
            yield from validation.text(f"{field}.run.{name}", getattr(run, name), one_line=True)


def directions(field: str, values: Mapping[str, Direction], metrics: Mapping[str, float]) -> Violations:
    for metric in values.keys() - metrics.keys():
        yield FieldViolation(f"{field}[{metric[:40]!a}]", "is not the name of a metric given here")


def _provenance(field: str, values: Facts, limits: Limits) -> Violations:
    if (source := values.source) is not None:
        for name in ("repository", "commit", "branch", "diff_digest", "entry_point"):
            yield from validation.text(f"{field}.source.{name}", getattr(source, name), one_line=True)
        yield from validation.count(f"{field}.source.arguments", source.arguments, limits)
        for index, argument in enumerate(source.arguments):
            yield from validation.text(f"{field}.source.arguments[{index}]", argument)
        yield from _texts(f"{field}.source.not_collected", source.not_collected, limits)
    if (environment := values.environment) is not None:
        for name in ("python", "os", "image"):
            yield from validation.text(f"{field}.environment.{name}", getattr(environment, name), one_line=True)
        for name in ("packages", "hardware", "job", "not_collected"):
            yield from _texts(f"{field}.environment.{name}", getattr(environment, name), limits)


def _texts(field: str, values: Mapping[str, str], limits: Limits) -> Violations:
    return validation.entries(field, values, limits, validation.text)


def _param(field: str, value: str | float) -> Violations:
    if isinstance(value, str):
        yield from validation.text(field, value)
    elif isinstance(value, float):
        yield from validation.finite(field, value)
    elif value not in INT64:
        yield FieldViolation(field, "does not fit into 64 bits")


def _datasets(field: str, values: Sequence[Dataset], limits: Limits) -> Violations:
    yield from validation.count(field, values, limits)
    seen = set()
    for index, each in enumerate(values):
        at = f"{field}[{index}]"
        yield from dataset(at, each)
        if (each.name, each.role) in seen:
            yield FieldViolation(f"{at}.name", f"{each.name!r} occurs twice in the role {each.role.value}")
        seen.add((each.name, each.role))


def dataset(field: str, value: Dataset) -> Violations:
    yield from validation.named(f"{field}.name", value.name)
    for name in ("uri", "digest"):
        yield from validation.text(f"{field}.{name}", getattr(value, name), one_line=True)
    if value.rows is not None and value.rows < 0:
        yield FieldViolation(f"{field}.row_count", f"{value.rows} is negative")


def _parents(field: str, values: Sequence[Parent], limits: Limits) -> Violations:
    yield from validation.at_most(field, len(values), limits.parents)
    for index, parent in enumerate(values):
        yield from validation.parsed(f"{field}[{index}].version", VersionName.parse, parent.version)
        if parent.manifest_digest:
            yield from validation.parsed(f"{field}[{index}].manifest_digest", check_digest, parent.manifest_digest)


def _schema(field: str, value: Mapping[str, Any] | None) -> Violations:
    if value is None:
        return
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        yield FieldViolation(field, "has a number that is not finite, which JSON can't encode")
    if any("\x00" in string for string in _strings(value)):
        yield FieldViolation(field, "has a NUL character")


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield key
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)

"""The rules that values of a request must keep, whatever the state: each gives the violations it finds, all of them.

``field`` is the path of the value in the request, as `version.labels`.
"""

import json
import math
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from modelyard.core.facts import Dataset, Facts, Parent
from modelyard.core.limits import (
    INT64,
    MAX_BLOB_BYTES,
    MAX_FACT_NAME_BYTES,
    MAX_FILES,
    MAX_FORMAT_BYTES,
    MAX_TEXT_BYTES,
    RESERVED_LABEL_PREFIX,
)
from modelyard.core.manifest import File, check_digest, check_distinct, check_path
from modelyard.core.names import EvaluationName, VersionName
from modelyard_server.calls.errors import FieldViolation
from modelyard_server.calls.limits import Limits
from modelyard_server.registry.values import Evaluation

Violations = Iterator[FieldViolation]


def _utf8(value: str) -> int:
    return len(value.encode("utf-8", "surrogatepass"))


def text(field: str, value: str, *, max_bytes: int = MAX_TEXT_BYTES, one_line: bool = False) -> Violations:
    """Free text: no NUL, which PostgreSQL can't store; on one line, no control character at all."""
    if _utf8(value) > max_bytes:
        yield FieldViolation(field, f"is {_utf8(value)} bytes long; at most {max_bytes} are allowed")
    elif "\x00" in value:
        yield FieldViolation(field, "holds a NUL character")
    elif one_line and any(unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"} for c in value):
        yield FieldViolation(field, "holds a control or invisible character; it must be one line of plain text")


def labels(field: str, values: Mapping[str, str], limits: Limits) -> Violations:
    if len(values) > limits.label_count:
        yield FieldViolation(field, f"has {len(values)} entries; at most {limits.label_count} are allowed")
    for key, value in sorted(values.items()):
        at = f"{field}[{key[:40]!a}]"
        if not key:
            yield FieldViolation(field, "has an empty key")
        elif key.startswith(RESERVED_LABEL_PREFIX):
            yield FieldViolation(at, f"keys that begin with {RESERVED_LABEL_PREFIX!r} are reserved")
        yield from text(at, key, max_bytes=limits.label_key_bytes, one_line=True)
        yield from text(at, value, max_bytes=limits.label_value_bytes)


def uuid4(field: str, value: str) -> Violations:
    try:
        parsed = UUID(value)
    except ValueError:
        parsed = None
    # One spelling, but for case: UUID() takes braces, prefixes and any number of hyphens too.
    if parsed is None or parsed.version != 4 or str(parsed) != value.lower():
        yield FieldViolation(field, f"{value[:60]!r} is no UUID4 like '8d1ffd9b-5f1e-4b8e-9d1c-0a4a4e3f9f10'")


def parsed(field: str, parse: Callable[[str], object], value: str) -> Violations:
    """Turns the ``ValueError`` of a parser into a violation."""
    try:
        parse(value)
    except ValueError as error:
        yield FieldViolation(field, str(error))


def size(field: str, value: int) -> Violations:
    if not 0 <= value <= MAX_BLOB_BYTES:
        yield FieldViolation(field, f"{value} is no size of a blob: it must be between 0 and {MAX_BLOB_BYTES} bytes")


def files(field: str, values: Sequence[File]) -> Violations:
    if not 1 <= len(values) <= MAX_FILES:
        yield FieldViolation(field, f"has {len(values)} files; a version has at least 1 and at most {MAX_FILES}")
    for index, file in enumerate(values):
        yield from parsed(f"{field}[{index}].path", check_path, file.path)
        yield from parsed(f"{field}[{index}].blob.digest", check_digest, file.digest)
        yield from size(f"{field}[{index}].blob.size_bytes", file.size)
    try:
        check_distinct(file.path for file in values)
    except ValueError as error:
        yield FieldViolation(field, str(error))


def facts(field: str, values: Facts, limits: Limits) -> Violations:
    """The frozen facts. NaN and infinities are refused: databases store them as other things, and gates let them by."""
    yield from _map(f"{field}.params", values.params, limits, _param)
    yield from _map(f"{field}.metrics", values.metrics, limits, _finite)
    yield from _datasets(f"{field}.datasets", values.datasets, limits)
    yield from _provenance(field, values, limits)
    if (framework := values.framework) is not None:
        yield from _named(f"{field}.framework.name", framework.name)
        yield from text(f"{field}.framework.version", framework.version, one_line=True)
    yield from text(f"{field}.format", values.format, max_bytes=MAX_FORMAT_BYTES, one_line=True)
    if (signature := values.signature) is not None:
        for name in ("inputs", "outputs"):
            yield from _schema(f"{field}.signature.{name}", getattr(signature, name))
    yield from _parents(f"{field}.parents", values.parents, limits)
    if (run := values.run) is not None:
        yield from _named(f"{field}.run.id", run.id)
        for name in ("tracker", "url"):
            yield from text(f"{field}.run.{name}", getattr(run, name), one_line=True)


def evaluation(field: str, value: Evaluation, limits: Limits) -> Violations:
    yield from _dataset(f"{field}.dataset", value.dataset)
    if not value.metrics:
        yield FieldViolation(f"{field}.metrics", "is required")
    yield from _map(f"{field}.metrics", value.metrics, limits, _finite)
    for metric in value.directions.keys() - value.metrics.keys():
        yield FieldViolation(f"{field}.directions[{metric[:40]!a}]", "there is no such metric")
    yield from _count(f"{field}.slices", value.slices, limits)
    for index, each in enumerate(value.slices):
        yield from _named(f"{field}.slices[{index}].name", each.name)
        yield from _map(f"{field}.slices[{index}].metrics", each.metrics, limits, _finite)
    yield from text(f"{field}.harness", value.harness, one_line=True)
    if value.supersedes:
        yield from parsed(f"{field}.supersedes", EvaluationName.parse, value.supersedes)
        if value.supersedes.rpartition("/evaluations/")[0] != str(value.name.version):
            yield FieldViolation(f"{field}.supersedes", f"is no evaluation of {value.name.version}")


def consumer(field: str, *, service: str, environment: str, instance: str, limits: Limits) -> Violations:
    """Who serves something: the three together are its identity."""
    if not service:
        yield FieldViolation(f"{field}.service", "is required")
    for name, value in {"service": service, "environment": environment, "instance": instance}.items():
        yield from text(f"{field}.{name}", value, max_bytes=limits.consumer_bytes, one_line=True)


def ttl(field: str, seconds: float, limits: Limits) -> Violations:
    shortest, longest = limits.deployment_ttl_min, limits.deployment_ttl_max
    if not shortest <= seconds <= longest:
        text = f"is {seconds:.0f} seconds; it must be between {shortest:.0f} seconds and {longest / 86_400:.0f} days"
        yield FieldViolation(field, text)


def _provenance(field: str, values: Facts, limits: Limits) -> Violations:
    if (source := values.source) is not None:
        for name in ("repository", "commit", "branch", "diff_digest", "entry_point"):
            yield from text(f"{field}.source.{name}", getattr(source, name), one_line=True)
        yield from _count(f"{field}.source.arguments", source.arguments, limits)
        for index, argument in enumerate(source.arguments):
            yield from text(f"{field}.source.arguments[{index}]", argument)
    if (environment := values.environment) is not None:
        for name in ("python", "os", "image"):
            yield from text(f"{field}.environment.{name}", getattr(environment, name), one_line=True)
        for name in ("packages", "hardware", "job"):
            yield from _map(f"{field}.environment.{name}", getattr(environment, name), limits, text)


def _named(field: str, value: str) -> Violations:
    if not value:
        yield FieldViolation(field, "is required")
    yield from text(field, value, one_line=True)


def _count(field: str, values: Collection[object], limits: Limits) -> Violations:
    if len(values) > limits.facts_entries:
        yield FieldViolation(field, f"has {len(values)} entries; at most {limits.facts_entries} are allowed")


def _map(field: str, values: Mapping[str, Any], limits: Limits, check: Callable[[str, Any], Violations]) -> Violations:
    yield from _count(field, values, limits)
    for key, value in values.items():
        at = f"{field}[{key[:40]!a}]"
        if not key:
            yield FieldViolation(field, "has an empty key")
        yield from text(at, key, max_bytes=MAX_FACT_NAME_BYTES, one_line=True)
        yield from check(at, value)


def _finite(field: str, value: float) -> Violations:
    if not math.isfinite(value):
        yield FieldViolation(field, f"{value} is no finite number")


def _param(field: str, value: str | float) -> Violations:
    if isinstance(value, str):
        yield from text(field, value)
    elif isinstance(value, float):
        yield from _finite(field, value)
    elif value not in INT64:
        yield FieldViolation(field, "does not fit into 64 bits")


def _datasets(field: str, values: Sequence[Dataset], limits: Limits) -> Violations:
    yield from _count(field, values, limits)
    seen = set()
    for index, dataset in enumerate(values):
        at = f"{field}[{index}]"
        yield from _dataset(at, dataset)
        if (dataset.name, dataset.role) in seen:
            yield FieldViolation(f"{at}.name", f"{dataset.name!r} stands twice in the role {dataset.role.value}")
        seen.add((dataset.name, dataset.role))


def _dataset(field: str, value: Dataset) -> Violations:
    yield from _named(f"{field}.name", value.name)
    for name in ("uri", "digest"):
        yield from text(f"{field}.{name}", getattr(value, name), one_line=True)
    if value.rows is not None and value.rows < 0:
        yield FieldViolation(f"{field}.row_count", f"{value.rows} is negative")


def _parents(field: str, values: Sequence[Parent], limits: Limits) -> Violations:
    yield from _count(field, values, limits)
    for index, parent in enumerate(values):
        yield from parsed(f"{field}[{index}].version", VersionName.parse, parent.version)
        if parent.manifest_digest:
            yield from parsed(f"{field}[{index}].manifest_digest", check_digest, parent.manifest_digest)


def _schema(field: str, value: Mapping[str, Any] | None) -> Violations:
    if value is None:
        return
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        yield FieldViolation(field, "holds a number that is not finite, which JSON can't carry")
    if any("\x00" in string for string in _strings(value)):
        yield FieldViolation(field, "holds a NUL character")


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

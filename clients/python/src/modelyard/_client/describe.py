"""Checks the arguments of a push and makes facts of them, before anything is sent. All violations are collected.

Training code holds numbers of many kinds. Scalars of NumPy, PyTorch, JAX and others are recognised by their methods,
without importing any of these libraries.
"""

import json
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from modelyard.core.facts import (
    Dataset,
    DatasetRole,
    Environment,
    Facts,
    Framework,
    Param,
    Parent,
    Run,
    Signature,
    Source,
)
from modelyard.core.limits import (
    INT64,
    MAX_ALIASES_PER_COMMIT,
    MAX_DESCRIPTION_BYTES,
    MAX_FACT_NAME_BYTES,
    MAX_FORMAT_BYTES,
    MAX_LABEL_KEY_BYTES,
    MAX_LABEL_VALUE_BYTES,
    MAX_LABELS,
    MAX_TEXT_BYTES,
    RESERVED_LABEL_PREFIX,
)
from modelyard.core.names import VersionName, check_alias
from modelyard.core.references import Reference
from modelyard.errors import FieldViolation, InvalidArgumentError

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What a push says about a version, beside its files."""

    facts: Facts
    aliases: tuple[str, ...]
    description: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


def describe(
    *,
    params: Mapping[str, Any] | None,
    metrics: Mapping[str, Any] | None,
    datasets: Mapping[str, str | Dataset] | Sequence[Dataset] | None,
    alias: str | Sequence[str] | None,
    description: str,
    labels: Mapping[str, str] | None,
    annotations: Mapping[str, str] | None,
    source: Source | None,
    environment: Environment | None,
    framework: str | Framework | None,
    format: str,  # noqa: A002 - the name that the field has everywhere
    signature: Signature | None,
    parents: Sequence[Parent],
    run: Run | None,
) -> Described:
    """Checks and normalises. Raises ``InvalidArgumentError`` with every violation."""
    check = _Check()
    facts = Facts(
        params=check.mapping("params", params, check.param),
        metrics=check.mapping("metrics", metrics, check.metric),
        datasets=check.datasets(datasets),
        source=check.instance("source", source, Source),
        environment=check.instance("environment", environment, Environment),
        framework=check.framework(framework),
        format=check.text("format", format, MAX_FORMAT_BYTES),
        signature=check.signature(signature),
        parents=check.parents(parents),
        run=check.run(run),
    )
    described = Described(
        facts=facts,
        aliases=check.aliases(alias),
        description=check.text("description", description, MAX_DESCRIPTION_BYTES),
        labels=check.labels("labels", labels),
        annotations=check.labels("annotations", annotations),
    )
    if check.violations:
        raise InvalidArgumentError(check.violations)
    return described


class _Check:
    """Collects violations. What a method returns for a wrong value is never used."""

    def __init__(self) -> None:
        self.violations: list[FieldViolation] = []

    def refuse(self, field: str, why: str) -> None:
        self.violations.append(FieldViolation(field, why))

    def mapping(self, field: str, given: Any, convert: Callable[[str, Any], _T]) -> dict[str, _T]:
        if given is None:
            return {}
        if not isinstance(given, Mapping):
            self.refuse(field, f"is a {_kind(given)}; give a mapping of names to values")
            return {}
        return {
            self.text(f"{field} name", key, MAX_FACT_NAME_BYTES): convert(f"{field}[{ascii(key)[:60]}]", value)
            for key, value in given.items()
        }

    def text(self, field: str, value: Any, max_bytes: int = MAX_TEXT_BYTES) -> str:
        if not isinstance(value, str):
            self.refuse(field, f"is a {_kind(value)}; give text")
            return ""
        try:
            size = len(value.encode())
        except UnicodeEncodeError:
            self.refuse(field, f"{ascii(value)[:80]} has a lone surrogate (half a character), which is not text")
            return ""
        if size > max_bytes:
            self.refuse(field, f"is {size} bytes long; at most {max_bytes} are allowed")
        if "\x00" in value:
            self.refuse(field, "has a NUL character")
        return str.__str__(value)  # an enum's text, not its name

    def param(self, field: str, value: Any) -> Param:
        value = _scalar(value)
        if isinstance(value, str):
            return self.text(field, value)
        if isinstance(value, bool):
            return value
        try:
            whole = operator.index(value)
        except TypeError:
            pass
        else:
            if whole not in INT64:
                self.refuse(field, "does not fit into 64 bits; give it as text")
            return whole
        if not hasattr(value, "__float__") or hasattr(value, "shape"):
            self.refuse(field, f"is a {_kind(value)}; give text, a number or a boolean")
            return 0.0
        return self.finite(field, value)

    def metric(self, field: str, value: Any) -> float:
        value = _scalar(value)
        if isinstance(value, bool | str) or not hasattr(value, "__float__") or hasattr(value, "shape"):
            self.refuse(field, f"is a {_kind(value)}; give one number")
            return 0.0
        return self.finite(field, value)

    def finite(self, field: str, value: Any) -> float:
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError) as error:
            self.refuse(field, f"is not a number that fits a double: {error}")
            return 0.0
        if not math.isfinite(number):
            self.refuse(field, f"is {number}; only finite numbers are allowed. Leave it out")
        return number

    def datasets(self, given: Any) -> tuple[Dataset, ...]:
        if given is None:
            return ()
        if isinstance(given, Mapping):
            found = [self.named_dataset(name, value) for name, value in given.items()]
        elif _is_sequence(given):
            found = list(given)
        else:
            self.refuse(
                "datasets", f"is a {_kind(given)}; give a mapping of names to URIs, or a list of modelyard.Dataset"
            )
            return ()
        for index, dataset in enumerate(found):
            if not isinstance(dataset, Dataset):
                self.refuse(f"datasets[{index}]", f"is a {_kind(dataset)}; give a modelyard.Dataset")
        return tuple(found)

    def named_dataset(self, name: Any, value: Any) -> Dataset:
        if isinstance(value, Dataset):
            return value
        text = self.text("datasets name", name)
        address = self.text(f"datasets[{ascii(name)[:60]}]", value)
        return Dataset(name=text, uri=address, role=_role(text.lower()))

    def label(self, field: str, value: Any) -> str:
        return self.text(field, value, MAX_LABEL_VALUE_BYTES)

    def labels(self, field: str, given: Any) -> dict[str, str]:
        labels = self.mapping(field, given, self.label)
        if len(labels) > MAX_LABELS:
            self.refuse(field, f"has {len(labels)} entries; at most {MAX_LABELS} are allowed")
        for key in labels:
            if not key:
                self.refuse(field, "has an empty key")
            elif len(key.encode()) > MAX_LABEL_KEY_BYTES:
                self.refuse(field, f"has a key longer than {MAX_LABEL_KEY_BYTES} bytes: {ascii(key)[:60]}")
            elif key.startswith(RESERVED_LABEL_PREFIX):
                self.refuse(
                    f"{field}[{ascii(key)[:60]}]", f"keys that begin with {RESERVED_LABEL_PREFIX!r} are reserved"
                )
        return labels

    def framework(self, given: Any) -> Framework | None:
        if isinstance(given, str):
            name, _, version = self.text("framework", given).partition("==")
            given = Framework(name=name.strip(), version=version.strip())
        framework = self.instance("framework", given, Framework)
        if framework is not None and not framework.name:
            self.refuse("framework", "has no name; give one as 'torch', 'torch==2.9.0' or Framework(name='torch')")
        return framework

    def signature(self, given: Any) -> Signature | None:
        signature = self.instance("signature", given, Signature)
        if signature is None:
            return None
        return Signature(
            inputs=self.schema("signature.inputs", signature.inputs),
            outputs=self.schema("signature.outputs", signature.outputs),
        )

    def schema(self, field: str, given: Any) -> Mapping[str, Any] | None:
        if given is None:
            return None
        try:
            plain = json.loads(json.dumps(given, allow_nan=False))
        except (TypeError, ValueError, RecursionError) as error:
            self.refuse(field, f"is not a JSON Schema: {error}")
            return None
        if not isinstance(plain, dict):
            self.refuse(field, f"is a {_kind(given)}; give a mapping")
            return None
        return plain

    def parents(self, given: Any) -> tuple[Parent, ...]:
        if not _is_sequence(given):
            self.refuse("parents", f"is a {_kind(given)}; give a list of modelyard.Parent")
            return ()
        for index, parent in enumerate(given):
            if not isinstance(parent, Parent):
                self.refuse(f"parents[{index}]", f"is a {_kind(parent)}; give a modelyard.Parent")
            else:
                self.attempt(f"parents[{index}].version", parse_parent, parent)
        return tuple(given)

    def run(self, given: Any) -> Run | None:
        run = self.instance("run", given, Run)
        if run is not None and not run.id:
            self.refuse("run.id", "is required")
        return run

    def aliases(self, given: Any) -> tuple[str, ...]:
        aliases = (given,) if isinstance(given, str) else () if given is None else given
        if not _is_sequence(aliases):
            self.refuse("alias", f"is a {_kind(given)}; give a name or a list of names")
            return ()
        if len(aliases) > MAX_ALIASES_PER_COMMIT:
            self.refuse("alias", f"has {len(aliases)} names; at most {MAX_ALIASES_PER_COMMIT} are allowed")
        for index, alias in enumerate(aliases):
            if self.text(f"alias[{index}]", alias):
                self.attempt(f"alias[{index}]", check_alias, alias)
        return tuple(aliases)

    def instance(self, field: str, given: Any, kind: type[_T]) -> _T | None:
        if given is None or isinstance(given, kind):
            return given
        self.refuse(field, f"is a {_kind(given)}; give a modelyard.{kind.__name__}")
        return None

    def attempt(self, field: str, check: Callable[[Any], object], value: Any) -> None:
        try:
            check(value)
        except (ValueError, TypeError, AttributeError) as error:
            self.refuse(field, str(error))


def parse_parent(parent: Parent) -> VersionName | Reference:
    """Which version a parent names: at once, or by a reference that the registry must resolve."""
    if parent.version.startswith("namespaces/"):
        return VersionName.parse(parent.version)
    return Reference.parse(parent.version)


def _role(name: str) -> DatasetRole:
    if name in {"train", "training"}:
        return DatasetRole.TRAINING
    if name.startswith("valid") or name == "val":
        return DatasetRole.VALIDATION
    return DatasetRole.TEST if name == "test" else DatasetRole.OTHER


def _scalar(value: Any) -> Any:
    """A Python scalar for a scalar of any array library; everything else as it is."""
    if getattr(value, "shape", None) != ():
        return value
    item = getattr(value, "item", None)
    return item() if callable(item) else value


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _kind(value: Any) -> str:
    return type(value).__name__

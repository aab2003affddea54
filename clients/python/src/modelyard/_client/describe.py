"""Checks the arguments of a push and makes facts of them, before anything is sent. All violations are collected.

The rules are the registry's: what passes here is not refused there.
"""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Any, Final

from modelyard._client import long_texts, measures
from modelyard._client.checking import Check, entry
from modelyard._client.datasets import dataset_of
from modelyard._client.plain import NotPlainError, a_kind, param
from modelyard.core.facts import (
    Dataset,
    Direction,
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
    MAX_FORMAT_BYTES,
    MAX_LABEL_KEY_BYTES,
    MAX_LABEL_VALUE_BYTES,
    MAX_LABELS,
    MAX_PARENTS,
    MAX_TEXT_BYTES,
    NOT_ON_ONE_LINE,
    RESERVED_LABEL_PREFIX,
)
from modelyard.core.manifest import check_digest
from modelyard.core.names import VersionName, check_alias
from modelyard.core.references import Reference

_PACKAGES: Final = {"sklearn": "scikit-learn", "pytorch": "torch", "tf": "tensorflow", "hf": "transformers"}
"""Names that people call a package by, to the name that it is installed under."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What a push says about a version, beside its files."""

    facts: Facts
    aliases: tuple[str, ...]
    description: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    texts: Mapping[str, str]
    """Params that are kept in files of the version, by path."""
    notes: tuple[str, ...]
    """The facts that are recorded in another form than given, for people."""


def describe(
    *,
    params: Any,
    metrics: Any,
    directions: Mapping[str, Direction] | None,
    datasets: Mapping[str, Any] | Sequence[Dataset] | None,
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
    drop_nonfinite: bool = False,
    capture: bool = True,
) -> Described:
    """Checks and normalises. Raises ``InvalidArgumentError`` with every violation.

    It may read data sets, so run it in a thread.
    """
    check = _VersionCheck()
    recorded = check.params(params)
    measured = measures.read(check, metrics, directions, drop_nonfinite=drop_nonfinite)
    facts = Facts(
        params=recorded,
        metrics=measured.metrics,
        directions=measured.directions,
        datasets=check.datasets(datasets),
        source=check.record("source", source, Source),
        environment=check.record("environment", environment, Environment),
        framework=check.framework(framework, installed=capture),
        format=check.text("format", format, MAX_FORMAT_BYTES, one_line=True),
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
        texts=check.texts,
        notes=tuple(check.notes),
    )
    check.raise_any()
    return described


class _VersionCheck(Check):
    """Checks the facts, labels and texts of a push."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}

    def params(self, given: Any) -> dict[str, Param]:
        return {name: self.param(name, value) for name, value in self.flattened("params", given).items()}

    def param(self, name: str, value: Any) -> Param:
        field = entry("params", name)
        try:
            found = param(value)
        except NotPlainError as error:
            self.refuse(field, str(error))
            return 0.0
        if isinstance(found, str):
            return self.param_text(name, found)
        if isinstance(found, float):
            return self.finite(field, found)
        if found not in INT64:
            self.refuse(field, "does not fit into 64 bits; give it as text")
        return found

    def param_text(self, name: str, text: str) -> str:
        field = entry("params", name)
        self.text(field, text, long_texts.MAX_BYTES)
        if len(text) <= MAX_TEXT_BYTES and len(text.encode(errors="replace")) <= MAX_TEXT_BYTES:
            return text
        path = long_texts.path_for(name)
        self.texts[path] = text
        self.notes.append(f"{field} is longer than {MAX_TEXT_BYTES} bytes. It is kept in the version's file {path}.")
        return long_texts.reference_to(path, text.encode(errors="replace").decode())

    def datasets(self, given: Any) -> tuple[Dataset, ...]:
        if given is None:
            return ()
        if isinstance(given, Mapping):
            named = [(entry("datasets", name), self.named_dataset(name, value)) for name, value in given.items()]
        elif _is_sequence(given):
            named = [(f"datasets[{index}]", each) for index, each in enumerate(given)]
        else:
            self.refuse(
                "datasets", f"is {a_kind(given)}; give a mapping of names to URIs, or a list of modelyard.Dataset"
            )
            return ()
        self.count_facts("datasets", named)
        found: dict[tuple[str, object], Dataset] = {}
        for field, each in named:
            dataset = self.record(field, each, Dataset)
            if dataset is None:
                continue
            if not dataset.name:
                self.refuse(field, "has no name")
            if dataset.rows is not None and dataset.rows < 0:
                self.refuse(f"{field}.rows", f"{dataset.rows} is negative")
            if (dataset.name, dataset.role) in found:
                self.refuse(field, f"{dataset.name!r} occurs twice in the role {dataset.role.value}")
            found[dataset.name, dataset.role] = dataset
        return tuple(found.values())

    def named_dataset(self, name: Any, value: Any) -> Dataset:
        text = self.text("datasets name", name, one_line=True)
        if isinstance(value, Dataset):
            return value
        try:
            return dataset_of(text, value)
        except NotPlainError as error:
            self.refuse(entry("datasets", name), str(error))
            return Dataset(name="refused")

    def label(self, field: str, value: Any) -> str:
        return self.text(field, value, MAX_LABEL_VALUE_BYTES)

    def labels(self, field: str, given: Any) -> dict[str, str]:
        if given is None:
            return {}
        if not isinstance(given, Mapping):
            self.refuse(field, f"is {a_kind(given)}; give a mapping of names to texts")
            return {}
        labels = {self.text(f"{field} name", key): self.label(entry(field, key), value) for key, value in given.items()}
        self.count(field, labels, MAX_LABELS)
        for key in labels:
            if not key:
                self.refuse(field, "has an empty key")
            elif len(key.encode()) > MAX_LABEL_KEY_BYTES:
                self.refuse(field, f"has a key longer than {MAX_LABEL_KEY_BYTES} bytes: {ascii(key)[:60]}")
            elif any(unicodedata.category(character) in NOT_ON_ONE_LINE for character in key):
                self.refuse(field, f"has a key with a control or invisible character: {ascii(key)[:60]}")
            elif key.startswith(RESERVED_LABEL_PREFIX):
                self.refuse(entry(field, key), f"keys that begin with {RESERVED_LABEL_PREFIX!r} are reserved")
        return labels

    def framework(self, given: Any, *, installed: bool) -> Framework | None:
        if isinstance(given, str):
            name, _, version = self.text("framework", given).partition("==")
            given = Framework(name=name.strip(), version=version.strip())
        framework = self.record("framework", given, Framework)
        if framework is None:
            return None
        if not framework.name:
            self.refuse("framework", "has no name; give one as 'torch', 'torch==2.9.0' or Framework(name='torch')")
        if framework.version or not installed:
            return framework
        return replace(framework, version=_installed_version(framework.name))

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
        if r"\u0000" in json.dumps(plain):
            self.refuse(field, "has a NUL character")
        if not isinstance(plain, dict):
            self.refuse(field, f"is {a_kind(given)}; give a mapping")
            return None
        return plain

    def parents(self, given: Any) -> tuple[Parent, ...]:
        if not _is_sequence(given):
            self.refuse("parents", f"is {a_kind(given)}; give a list of modelyard.Parent")
            return ()
        self.count("parents", given, MAX_PARENTS)
        for index, parent in enumerate(given):
            if not isinstance(parent, Parent):
                self.refuse(f"parents[{index}]", f"is {a_kind(parent)}; give a modelyard.Parent")
            else:
                self.attempt(f"parents[{index}].version", parse_parent, parent)
                if parent.manifest_digest:
                    self.attempt(f"parents[{index}].manifest_digest", check_digest, parent.manifest_digest)
        return tuple(given)

    def run(self, given: Any) -> Run | None:
        run = self.record("run", given, Run)
        if run is not None and not run.id:
            self.refuse("run.id", "is required")
        return run

    def aliases(self, given: Any) -> tuple[str, ...]:
        aliases = (given,) if isinstance(given, str) else () if given is None else given
        if not _is_sequence(aliases):
            self.refuse("alias", f"is {a_kind(given)}; give a name or a list of names")
            return ()
        self.count("alias", aliases, MAX_ALIASES_PER_COMMIT)
        for index, alias in enumerate(aliases):
            if self.text(f"alias[{index}]", alias):
                self.attempt(f"alias[{index}]", check_alias, alias)
        return tuple(aliases)


def parse_parent(parent: Parent) -> VersionName | Reference:
    """Which version a parent names: at once, or by a reference that the registry must resolve."""
    if parent.version.startswith("namespaces/"):
        return VersionName.parse(parent.version)
    return Reference.parse(parent.version)


def _installed_version(package: str) -> str:
    """Empty if this machine has no such package."""
    try:
        return metadata.version(_PACKAGES.get(package.lower(), package))
    except (metadata.PackageNotFoundError, ValueError):
        return ""


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)

"""What lists can be searched and sorted by beside the columns of a resource: names with texts, names with numbers."""

import hashlib
from collections.abc import Iterator
from typing import Final

from modelyard.core.facts import Dataset, Facts, Param
from modelyard_server.registry.values import Model, Version

_LONGEST: Final = 200
_KEPT: Final = 160

Texts = set[tuple[str, str]]
Numbers = dict[str, float]


def indexed(text: str) -> str:
    """``text`` as an index holds it: a long one by its beginning and its hash, so that equality still is exact."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_KEPT]}…{hashlib.sha256(text.encode()).hexdigest()}"


def labels_of(resource: Model | Version) -> Texts:
    """The texts that can change."""
    found = {(f"labels.{key}", value) for key, value in resource.labels.items()}
    if isinstance(resource, Model):
        found.add(("owner", resource.owner))
    return _kept(found)


def texts_of(version: Version) -> Texts:
    """The texts of a version that never change."""
    return _kept({("created_by", version.created_by), ("digest", version.manifest_digest), *_texts(version.facts)})


def numbers_of(version: Version) -> Numbers:
    facts = version.facts
    params = {f"params.{key}": float(value) for key, value in facts.params.items() if _is_number(value)}
    return params | {f"metrics.{key}": value for key, value in facts.metrics.items()}


def _kept(found: set[tuple[str, str]]) -> Texts:
    return {(field, indexed(text)) for field, text in found if text}


def _is_number(value: Param) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _texts(facts: Facts) -> Iterator[tuple[str, str]]:
    for key, value in facts.params.items():
        if not _is_number(value):
            yield f"params.{key}", value if isinstance(value, str) else str(value).lower()
    for dataset in facts.datasets:
        yield from _of_dataset(dataset)
    yield "format", facts.format
    if (framework := facts.framework) is not None:
        yield from (("framework", framework.name), ("framework.version", framework.version))
    if (source := facts.source) is not None:
        yield from ((f"source.{name}", getattr(source, name)) for name in ("repository", "commit", "branch"))
    for parent in facts.parents:
        yield from (("parent", parent.version), ("parent.digest", parent.manifest_digest))
    if (run := facts.run) is not None:
        yield from (("run", run.id), ("run.tracker", run.tracker))


def _of_dataset(dataset: Dataset) -> Iterator[tuple[str, str]]:
    yield from (("dataset", dataset.name), ("dataset.uri", dataset.uri), ("dataset.digest", dataset.digest))

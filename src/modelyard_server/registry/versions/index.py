"""The search index of versions, in addition to their columns: texts and numbers."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import insert

from modelyard.core.facts import Dataset, Facts, Param
from modelyard_server.db.connection import Connection
from modelyard_server.registry.search_rows import Texts, add_texts, kept, labels_of, removal_of_labels
from modelyard_server.registry.versions.tables import version_numbers, version_texts
from modelyard_server.registry.versions.values import Version

_INSERT_NUMBERS: Final = insert(version_numbers)
_REMOVE_LABELS: Final = removal_of_labels(version_texts, "version_key")


async def add(connection: Connection, version: Version) -> None:
    await _add_texts(connection, version, _frozen_texts(version) | labels_of(version.labels))
    place = {"version_key": version.key, "model_key": version.model_key, "namespace_key": version.namespace_key}
    numbers = [{**place, "field": field, "value": value} for field, value in _numbers(version.facts).items()]
    if numbers:
        await connection.execute(_INSERT_NUMBERS, numbers)


async def update(connection: Connection, version: Version) -> None:
    await connection.execute(_REMOVE_LABELS, {"of_resource": version.key})
    await _add_texts(connection, version, labels_of(version.labels))


async def _add_texts(connection: Connection, version: Version, texts: Texts) -> None:
    place = {"version_key": version.key, "namespace_key": version.namespace_key, "create_time": version.create_time}
    await add_texts(connection, version_texts, place, texts)


def _frozen_texts(version: Version) -> Texts:
    return kept([("created_by", version.created_by), ("digest", version.manifest_digest), *_texts(version.facts)])


def _numbers(facts: Facts) -> dict[str, float]:
    params = {f"params.{key}": float(value) for key, value in facts.params.items() if _is_number(value)}
    return params | {f"metrics.{key}": value for key, value in facts.metrics.items()}


def _is_number(value: Param) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _texts(facts: Facts) -> Iterator[tuple[str, str]]:
    for key, value in facts.params.items():
        if not _is_number(value):
            yield f"params.{key}", value if isinstance(value, str) else str(value).lower()
    for metric, direction in facts.directions.items():
        yield f"directions.{metric}", direction.value
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

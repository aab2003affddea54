"""The fields of filters and sort orders of versions."""

from typing import Final

from modelyard.core.facts import Direction
from modelyard_server.query.order import Order, parse_order
from modelyard_server.query.terms import Fields, Kind, OneOf
from modelyard_server.registry.versions.values import VersionState

FIELDS: Final[Fields] = {
    "model": Kind.TEXT,
    "number": Kind.NUMBER,
    "state": OneOf(tuple(state.value for state in VersionState)),
    "description": Kind.TEXT,
    "labels.*": Kind.TEXT,
    "alias": Kind.TEXTS,
    "create_time": Kind.TIME,
    "update_time": Kind.TIME,
    "created_by": Kind.TEXT,
    "digest": Kind.TEXT,
    "total_size_bytes": Kind.NUMBER,
    "file_count": Kind.NUMBER,
    "params.*": Kind.VALUE,
    "metrics.*": Kind.NUMBER,
    "directions.*": OneOf(tuple(direction.value for direction in Direction)),
    "evaluations.*": Kind.NUMBER,
    "dataset": Kind.TEXTS,
    "dataset.uri": Kind.TEXTS,
    "dataset.digest": Kind.TEXTS,
    "framework": Kind.TEXT,
    "framework.version": Kind.TEXT,
    "format": Kind.TEXT,
    "source.repository": Kind.TEXT,
    "source.commit": Kind.TEXT,
    "source.branch": Kind.TEXT,
    "parent": Kind.VERSIONS,
    "parent.digest": Kind.TEXTS,
    "run": Kind.TEXT,
    "run.tracker": Kind.TEXT,
}


def parse_version_order(text: str) -> Order | None:
    """Parses ``number``, ``create_time``, or a metric or param such as ``metrics.auc desc``. None for an empty text."""
    return parse_order(text, ["create_time", "number", "metrics.*", "params.*", "evaluations.*"], FIELDS)

"""The fields of filters and sort orders of models."""

from typing import Final

from modelyard_server.query.order import Order, parse_order
from modelyard_server.query.terms import Fields, Kind

FIELDS: Final[Fields] = {
    "id": Kind.TEXT,
    "display_name": Kind.TEXT,
    "description": Kind.TEXT,
    "owner": Kind.TEXT,
    "labels.*": Kind.TEXT,
    "alias": Kind.TEXTS,
    "create_time": Kind.TIME,
    "update_time": Kind.TIME,
}


def parse_model_order(text: str) -> Order | None:
    """Parses ``id`` or ``create_time desc``. None for an empty text. Raises ``ValueError``."""
    return parse_order(text, ["create_time", "id", "update_time"], FIELDS)

"""What a filter of models may ask, and what they are sorted by."""

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
    """``id`` or ``create_time desc``; None for no text. ``ValueError`` says what is wrong."""
    return parse_order(text, ["create_time", "id", "update_time"], FIELDS)

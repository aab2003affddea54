"""Rows of the search indexes of models and versions, written in the transaction of the resource."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Table, bindparam, delete, insert, or_

from modelyard_server.db.connection import Connection
from modelyard_server.query.texts import indexed

Texts = set[tuple[str, str]]


def kept(found: Iterable[tuple[str, str]]) -> Texts:
    """Fields and their texts, as stored in the index. Empty texts are left out."""
    return {(field, indexed(text)) for field, text in found if text}


def labels_of(labels: Mapping[str, str]) -> Texts:
    return kept((f"labels.{key}", value) for key, value in labels.items())


def removal_of_labels(table: Table, owner: str) -> Any:
    """Removes the texts of the resource ``of_resource`` that can change: its labels and its owner."""
    field = table.c.field
    # "/" is the next character after ".".
    mutable = or_(field == "owner", (field > "labels.") & (field < "labels/"))
    return delete(table).where(table.c[owner] == bindparam("of_resource"), mutable)


async def add_texts(connection: Connection, table: Table, place: Mapping[str, Any], texts: Texts) -> None:
    """Adds texts. ``place`` has the columns that all rows of the resource share."""
    rows = [{**place, "field": field, "value": value} for field, value in sorted(texts)]
    if rows:
        await connection.execute(insert(table), rows)

"""The rows that resources are searched and sorted by: written with the resources, in the same transaction."""

from typing import Any, Final

from sqlalchemy import Table, bindparam, delete, insert, or_

from modelyard_server.db import tables
from modelyard_server.db.connection import Connection
from modelyard_server.query.attributes import Texts, labels_of, numbers_of, texts_of
from modelyard_server.registry.models import full_text as words
from modelyard_server.registry.values import Model, Version

_VERSION_TEXTS = tables.version_texts
_MODEL_TEXTS = tables.model_texts
_INSERT_NUMBERS: Final = insert(tables.version_numbers)


def _removal(table: Table, owner: str) -> Any:
    """Removes what :func:`~modelyard_server.query.attributes.labels_of` gives."""
    field = table.c.field
    # "/" is what follows "." in the order of characters.
    mutable = or_(field == "owner", (field > "labels.") & (field < "labels/"))
    return delete(table).where(table.c[owner] == bindparam("of_resource"), mutable)


_REMOVE_LABELS: Final = _removal(_VERSION_TEXTS, "version_key")
_REMOVE_MODEL_TEXTS: Final = _removal(_MODEL_TEXTS, "model_key")


async def add_version(connection: Connection, version: Version) -> None:
    await _add_texts(connection, _VERSION_TEXTS, "version_key", version, texts_of(version) | labels_of(version))
    place = {"version_key": version.key, "model_key": version.model_key, "namespace_key": version.namespace_key}
    numbers = [{**place, "field": field, "value": value} for field, value in numbers_of(version).items()]
    if numbers:
        await connection.execute(_INSERT_NUMBERS, numbers)


async def update_version(connection: Connection, version: Version) -> None:
    await connection.execute(_REMOVE_LABELS, {"of_resource": version.key})
    await _add_texts(connection, _VERSION_TEXTS, "version_key", version, labels_of(version))


async def add_model(connection: Connection, model: Model) -> None:
    await _add_texts(connection, _MODEL_TEXTS, "model_key", model, labels_of(model))
    await words.write(connection, model)


async def update_model(connection: Connection, model: Model) -> None:
    await connection.execute(_REMOVE_MODEL_TEXTS, {"of_resource": model.key})
    await add_model(connection, model)


async def _add_texts(connection: Connection, table: Table, owner: str, resource: Model | Version, texts: Texts) -> None:
    place = {owner: resource.key, "namespace_key": resource.namespace_key, "create_time": resource.create_time}
    rows = [{**place, "field": field, "value": value} for field, value in sorted(texts)]
    if rows:
        await connection.execute(insert(table), rows)

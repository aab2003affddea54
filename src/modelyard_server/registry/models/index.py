"""The search index of models, in addition to their columns."""

from typing import Final

from modelyard_server.db.connection import Connection
from modelyard_server.registry.models import full_text
from modelyard_server.registry.models.tables import model_texts
from modelyard_server.registry.models.values import Model
from modelyard_server.registry.search_rows import add_texts, kept, labels_of, removal_of_labels

_REMOVE: Final = removal_of_labels(model_texts, "model_key")


async def add(connection: Connection, model: Model) -> None:
    place = {"model_key": model.key, "namespace_key": model.namespace_key, "create_time": model.create_time}
    await add_texts(connection, model_texts, place, labels_of(model.labels) | kept([("owner", model.owner)]))
    await full_text.write(connection, model)


async def update(connection: Connection, model: Model) -> None:
    await connection.execute(_REMOVE, {"of_resource": model.key})
    await add(connection, model)

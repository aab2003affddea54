"""Selects rows by the name of their model."""

from typing import Any, Final

from sqlalchemy import Row, bindparam

from modelyard.core.names import ModelName
from modelyard_server.registry.models.tables import models
from modelyard_server.registry.namespaces.tables import namespaces

# Statements of frequent calls are built once: to build one takes longer than SQLite needs to run it.
OF_MODEL: Final = (
    namespaces.c.id == bindparam("namespace_id"),
    models.c.id == bindparam("model_id"),
)


def of_model(name: ModelName, **more: Any) -> dict[str, Any]:
    """The parameters of :data:`OF_MODEL`, and ``more``."""
    return {"namespace_id": name.namespace, "model_id": name.model, **more}


def model_name(row: Row[Any]) -> ModelName:
    return ModelName(row.namespace_id, row.model_id)

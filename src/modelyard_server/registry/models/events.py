"""Encodes models for the log."""

from typing import Final

from modelyard.core.names import ModelName
from modelyard_server.log.kinds import Kind
from modelyard_server.log.snapshots import COMMON, common, common_from, optional_time, optional_time_from
from modelyard_server.log.values import Json
from modelyard_server.registry.models.messages import model_message
from modelyard_server.registry.models.values import Model

_FIELDS_1: Final = COMMON | {
    *("display_name", "description", "owner", "labels", "annotations", "delete_time", "purge_time"),
}


def encode(model: Model) -> Json:
    """Encodes a model without its aliases, which have their own events."""
    return {
        **common(model, model.name),
        "display_name": model.display_name,
        "description": model.description,
        "owner": model.owner,
        "labels": dict(model.labels),
        "annotations": dict(model.annotations),
        "delete_time": optional_time(model.delete_time),
        "purge_time": optional_time(model.purge_time),
    }


def decode(stored: Json) -> Model:
    return Model(
        **common_from(stored),
        name=ModelName.parse(stored["name"]),
        display_name=stored.get("display_name", ""),
        description=stored.get("description", ""),
        owner=stored.get("owner", ""),
        labels=stored.get("labels", {}),
        annotations=stored.get("annotations", {}),
        delete_time=optional_time_from(stored, "delete_time"),
        purge_time=optional_time_from(stored, "purge_time"),
        aliases=stored.get("aliases", {}),
    )


MODEL: Final = Kind(
    name="model",
    verbs=("created", "updated", "deleted", "restored"),
    schemas={0: _FIELDS_1, 1: _FIELDS_1},
    encode=encode,
    decode=decode,
    message_field="model",
    render=model_message,
)

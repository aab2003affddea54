"""Models as messages."""

from modelyard.v1 import resources_pb2 as pb
from modelyard_server.calls.messages import common, optional_times
from modelyard_server.registry.models.values import Model


def model_message(model: Model) -> pb.Model:
    return pb.Model(
        **common(model),
        **optional_times(delete_time=model.delete_time, purge_time=model.purge_time),
        name=str(model.name),
        display_name=model.display_name,
        description=model.description,
        owner=model.owner,
        labels=model.labels,
        annotations=model.annotations,
        aliases=model.aliases,
    )

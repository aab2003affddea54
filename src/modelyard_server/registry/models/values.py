"""Models."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from modelyard.core.names import ModelName
from modelyard_server.calls.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Model(Resource):
    name: ModelName
    display_name: str = ""
    description: str = ""
    owner: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    delete_time: datetime | None = None
    purge_time: datetime | None = None
    aliases: Mapping[str, int] = field(default_factory=dict, compare=False)
    """Alias id to version number. Aliases are separate resources, and not part of a model's events."""
    namespace_key: int = field(default=0, repr=False, compare=False)

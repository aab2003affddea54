"""Namespaces."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from modelyard.core.names import NamespaceName
from modelyard_server.calls.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace(Resource):
    name: NamespaceName
    display_name: str = ""
    description: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    delete_time: datetime | None = None

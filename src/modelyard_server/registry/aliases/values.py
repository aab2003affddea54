"""Aliases."""

from dataclasses import dataclass, field

from modelyard.core.names import AliasName, VersionName
from modelyard_server.calls.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias(Resource):
    name: AliasName
    version: VersionName
    manifest_digest: str
    updated_by: str
    version_key: int = field(default=0, repr=False, compare=False)

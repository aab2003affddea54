"""Namespaces, models, versions and aliases, and the resolution of references.

A version exists only if every byte of it is stored. Its files and facts never change. Numbers of versions have no gaps
and are never reused. Aliases never dangle. They move by compare-and-set, and every move goes through
``aliases/moves.py``. Each resource has its own folder.
"""

from typing import Final

from modelyard.core.names import DEFAULT_NAMESPACE, NamespaceName
from modelyard.v1 import registry_pb2
from modelyard_server.capability import Capability, Parts, Running
from modelyard_server.jobs import Job
from modelyard_server.log.changes import Mutations
from modelyard_server.registry import inventory
from modelyard_server.registry.about.servicer import AboutServicer
from modelyard_server.registry.aliases import tables as alias_tables
from modelyard_server.registry.aliases.events import ALIAS
from modelyard_server.registry.aliases.moves import AliasMoves, MoveGuard
from modelyard_server.registry.aliases.service import Aliases
from modelyard_server.registry.aliases.servicer import AliasesServicer
from modelyard_server.registry.checks import check
from modelyard_server.registry.guards import BlobDamage, DeleteGuard, NamespaceContents, StoredBlobs, UseListener
from modelyard_server.registry.models import tables as model_tables
from modelyard_server.registry.models.events import MODEL
from modelyard_server.registry.models.service import Models
from modelyard_server.registry.models.servicer import ModelsServicer
from modelyard_server.registry.namespaces import tables as namespace_tables
from modelyard_server.registry.namespaces.events import NAMESPACE
from modelyard_server.registry.namespaces.service import Namespaces
from modelyard_server.registry.namespaces.servicer import NamespacesServicer
from modelyard_server.registry.resolving.service import Resolver
from modelyard_server.registry.resolving.servicer import ResolvingServicer
from modelyard_server.registry.versions import tables as version_tables
from modelyard_server.registry.versions.encoded import EncodedVersions
from modelyard_server.registry.versions.events import VERSION
from modelyard_server.registry.versions.service import Versions
from modelyard_server.registry.versions.servicer import VersionsServicer


class _DefaultNamespace(Job):
    """Creates the default namespace at the first start."""

    def __init__(self, namespaces: Namespaces) -> None:
        self._namespaces = namespaces

    async def start(self) -> None:
        await self._namespaces.ensure_default(NamespaceName(DEFAULT_NAMESPACE))


def _build(parts: Parts) -> Running:
    mutations = Mutations(parts.database, parts.clock, parts.limits)
    lists, limits, guards = parts.lists, parts.limits, parts.offers.of(DeleteGuard)
    moves = AliasMoves(mutations, parts.offers.of(MoveGuard))
    aliases = Aliases(mutations, moves)
    namespaces = Namespaces(mutations, parts.offers.of(NamespaceContents))
    versions = Versions(mutations, aliases, parts.offers.one(StoredBlobs), parts.offers.one(BlobDamage), guards)
    resolver = Resolver(parts.database, parts.clock, parts.offers.of(UseListener))
    encoded = EncodedVersions(versions.read_files)
    return Running(
        servicers=[
            NamespacesServicer(namespaces, lists, limits),
            ModelsServicer(Models(mutations, moves, guards), lists, limits),
            VersionsServicer(versions, encoded, lists, limits),
            AliasesServicer(aliases, lists, limits),
            ResolvingServicer(resolver, encoded),
            AboutServicer(parts.clock),
        ],
        jobs=[_DefaultNamespace(namespaces)],
    )


CAPABILITY: Final = Capability(
    name="registry",
    tables=[
        namespace_tables.namespaces,
        *(model_tables.models, model_tables.model_texts),
        *(version_tables.versions, version_tables.version_files, version_tables.version_parents),
        *(version_tables.version_texts, version_tables.version_numbers),
        alias_tables.aliases,
    ],
    services=[registry_pb2.DESCRIPTOR.services_by_name["RegistryService"]],
    offers=[NAMESPACE, MODEL, VERSION, ALIAS, *inventory.FAMILIES],
    checks=[check],
    build=_build,
)

"""RegistryService: references."""

from modelyard.core.references import Reference
from modelyard.v1 import registry_pb2 as rpc
from modelyard_server.calls.call import Call
from modelyard_server.calls.parsing import Collector
from modelyard_server.registry.resolving.messages import resolution_message
from modelyard_server.registry.resolving.service import Resolver
from modelyard_server.registry.versions.manifests import Manifests
from modelyard_server.registry.versions.messages import rendered
from modelyard_server.registry.versions.parsing import check_view


class ResolvingServicer:
    """Resolves references."""

    def __init__(self, resolver: Resolver, manifests: Manifests) -> None:
        self._manifests = manifests
        self._resolver = resolver

    async def ResolveVersion(self, request: rpc.ResolveVersionRequest, call: Call) -> rpc.ResolveVersionResponse:
        collector = Collector()
        reference = collector.parse("reference", Reference.parse, request.reference)
        collector.add(check_view(request.view))
        collector.raise_any()
        assert reference is not None
        files = request.view != rpc.VERSION_VIEW_BASIC
        resolution = await self._resolver.resolve(call.caller, reference, files=files)
        version = resolution.version
        return resolution_message(resolution, await (self._manifests.full(version) if files else rendered(version)))

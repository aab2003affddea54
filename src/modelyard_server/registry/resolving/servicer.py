"""RegistryService: references."""

from modelyard.core.references import Reference
from modelyard.v1 import registry_pb2 as rpc
from modelyard_server.calls.answers import Answer, Encoded, within
from modelyard_server.calls.call import Call
from modelyard_server.calls.parsing import Collector
from modelyard_server.registry.resolving.messages import resolution_message
from modelyard_server.registry.resolving.service import Resolver
from modelyard_server.registry.versions.encoded import EncodedVersions
from modelyard_server.registry.versions.parsing import check_view


class ResolvingServicer:
    """Resolves references."""

    def __init__(self, resolver: Resolver, encoded: EncodedVersions) -> None:
        self._encoded = encoded
        self._resolver = resolver

    async def ResolveVersion(self, request: rpc.ResolveVersionRequest, call: Call) -> Answer:
        collector = Collector()
        reference = collector.parse("reference", Reference.parse, request.reference)
        collector.add(check_view(request.view))
        collector.raise_any()
        assert reference is not None
        files = request.view != rpc.VERSION_VIEW_BASIC
        resolution = await self._resolver.resolve(call.caller, reference, files=files)
        version, rest = await self._encoded.message(resolution.version, files=files)
        return Encoded(resolution_message(resolution, version), within(rpc.ResolveVersionResponse, "version", rest))

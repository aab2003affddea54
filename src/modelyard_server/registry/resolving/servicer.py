"""RegistryService: references."""

from modelyard.core.references import Reference
from modelyard.v1 import registry_pb2 as rpc
from modelyard_server.calls import parsing
from modelyard_server.calls.call import Call
from modelyard_server.registry.resolving.messages import resolution_message
from modelyard_server.registry.resolving.service import Resolver


class ResolvingServicer:
    """Resolves references."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def ResolveVersion(self, request: rpc.ResolveVersionRequest, call: Call) -> rpc.ResolveVersionResponse:
        reference = parsing.one("reference", Reference.parse, request.reference)
        return resolution_message(await self._resolver.resolve(call.caller, reference, files=True))

"""RegistryService: the registry itself."""

from importlib.metadata import version
from typing import Final

from modelyard.v1 import registry_pb2 as rpc
from modelyard_server.calls.call import Call
from modelyard_server.calls.caller import Clock

_VERSION: Final = version("modelyard-server")


class AboutServicer:
    """Tells which server answers, and who it takes a caller for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def GetRegistry(self, request: rpc.GetRegistryRequest, call: Call) -> rpc.Registry:
        answer = rpc.Registry(version=_VERSION, caller=call.caller.actor)
        answer.serve_time.FromDatetime(self._clock())
        return answer

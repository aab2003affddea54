"""RegistryService: comparisons."""

from modelyard.core.names import parse_version_or_alias
from modelyard.v1 import registry_pb2 as rpc
from modelyard_server.calls.call import Call
from modelyard_server.calls.limits import Limits
from modelyard_server.calls.offload import offload
from modelyard_server.calls.parsing import Collector
from modelyard_server.comparison.messages import comparison_message
from modelyard_server.comparison.service import Comparer


class ComparisonServicer:
    """Answers CompareVersions."""

    def __init__(self, comparer: Comparer, limits: Limits) -> None:
        self._comparer = comparer
        self._limits = limits

    async def CompareVersions(self, request: rpc.CompareVersionsRequest, call: Call) -> rpc.CompareVersionsResponse:
        collector = Collector()
        base = collector.parse("base", parse_version_or_alias, request.base)
        other = collector.parse("other", parse_version_or_alias, request.other)
        collector.raise_any()
        assert base is not None
        assert other is not None
        comparison = await self._comparer.compare(call.caller, base, other)
        entries = len(comparison.differences) + len(comparison.not_compared)
        return await offload(entries, comparison_message, comparison, self._limits.list_bytes)

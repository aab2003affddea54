"""Whatever bytes come in as a request, the answer is one of the contract's, and the registry is as sound as before."""

from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.property.messages import messages, mutated
from tests.property.yards import open_yard
from tests.support.calls import fraud
from tests.support.children import PATIENCE
from tests.support.registry import RunningRegistry, refusal
from tests.support.requests import NAMESPACE

from modelyard.v1 import registry_pb2 as rpc
from modelyard_server.app import SERVICES
from modelyard_server.calls.methods import Method, table

_METHODS: Final = {method.name: method for method in table(SERVICES).values() if not method.client_streaming}
_NEVER: Final = {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS}
_SHARE: Final = 4
_ENDLESS: Final = {"WatchEvents"}


async def _send(yard: RunningRegistry, method: Method, request: bytes) -> grpc.StatusCode:
    channel: Any = yard.channel
    try:
        if method.server_streaming:
            call = channel.unary_stream(method.path)(request, timeout=PATIENCE)
            async for _ in call:
                if method.name in _ENDLESS:
                    call.cancel()
                    break
        else:
            await channel.unary_unary(method.path)(request, timeout=PATIENCE)
    except grpc.aio.AioRpcError as error:
        return refusal(error).code
    return grpc.StatusCode.OK


@pytest.mark.parametrize("method", sorted(_METHODS))
def test_no_request_breaks_the_server(database_url: str, tmp_path: Path, method: str) -> None:
    target = _METHODS[method]
    requests = st.one_of(messages(target.request).map(_serialized), mutated(target.request), st.binary())
    with open_yard(database_url, tmp_path / "yard") as yard:

        @settings(suppress_health_check=list(HealthCheck), max_examples=max(settings().max_examples // _SHARE, 1))
        @given(request=requests)
        def answers(request: bytes) -> None:
            assert yard.wait(lambda: _send(yard.running, target, request)) not in _NEVER

        yard.wait(lambda: fraud(yard.running))
        answers()
        # Not `fraud` itself: some of what was made up may have deleted that, by its right name.
        name = rpc.GetNamespaceRequest(name=NAMESPACE)
        assert yard.wait(lambda: yard.running.registry.GetNamespace(name)).name == NAMESPACE


def _serialized(message: Any) -> bytes:
    return bytes(message.SerializeToString())

"""The channels to a registry: small calls on one connection, bytes and streams on another."""

from collections.abc import Callable, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, TypeVar, cast

import grpc
import grpc.aio

from modelyard._config import Endpoint
from modelyard._connection.methods import bulk_paths, service_config
from modelyard._connection.reading import lenient

_Stub = TypeVar("_Stub")

_MAX_RECEIVE_BYTES: Final = 8 << 20
_WINDOW_BYTES: Final = 4 << 20
"""Of each stream on its way: 40 MB/s at a round trip of 100 ms."""
# A call that outgrows this is not retried: it must hold a version with its 10,000 files, and a batch of small blobs.
_RETRY_BUFFER_BYTES: Final = 4 << 20


class Channels:
    """The two channels to a registry, and the generated stubs over them."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._small = _open_channel(endpoint, bulk=False)
        self._bulk = _open_channel(endpoint, bulk=True)
        self._stubs: dict[object, Any] = {}
        self._paths: dict[object, str] = {}

    def stub(self, make: Callable[[grpc.aio.Channel], _Stub]) -> _Stub:
        """The stub of a generated class, made when it is first asked for."""
        if make not in self._stubs:
            self._stubs[make] = make(cast("grpc.aio.Channel", _Router(self._open)))
        stub: _Stub = self._stubs[make]
        return stub

    def path(self, method: object) -> str:
        """Of a method of one of the stubs: ``/modelyard.v1.RegistryService/GetModel``."""
        return self._paths[method]

    @property
    def connected(self) -> bool:
        """Whether a connection stands, as far as is known."""
        ready = grpc.ChannelConnectivity.READY
        return ready in {channel.get_state() for channel in (self._small, self._bulk)}

    async def close(self) -> None:
        await self._small.close()
        await self._bulk.close()

    def _open(self, kind: str, path: str, *args: Any, **kwargs: Any) -> Any:
        kwargs["response_deserializer"] = lenient(kwargs["response_deserializer"])
        channel = self._bulk if path in bulk_paths() else self._small
        method = getattr(channel, kind)(path, *args, **kwargs)
        self._paths[method] = path
        return method


class _Router:
    """What a generated stub takes for its channel: each method gets the channel that fits it."""

    def __init__(self, open_method: Callable[..., Any]) -> None:
        self._open_method = open_method

    def unary_unary(self, path: str, *args: Any, **kwargs: Any) -> Any:
        return self._open_method("unary_unary", path, *args, **kwargs)

    def unary_stream(self, path: str, *args: Any, **kwargs: Any) -> Any:
        return self._open_method("unary_stream", path, *args, **kwargs)

    def stream_unary(self, path: str, *args: Any, **kwargs: Any) -> Any:
        return self._open_method("stream_unary", path, *args, **kwargs)

    def stream_stream(self, path: str, *args: Any, **kwargs: Any) -> Any:
        return self._open_method("stream_stream", path, *args, **kwargs)


@cache
def _user_agent() -> str:
    try:
        return f"modelyard-python/{version('modelyard')}"
    except PackageNotFoundError:  # run from a source tree
        return "modelyard-python"


def options(endpoint: Endpoint, *, bulk: bool) -> Sequence[tuple[str, str | int]]:
    """The channel arguments. Core ignores those that it does not know, so a test looks each of them up in it."""
    return (
        ("grpc.service_config", service_config()),
        ("grpc.per_rpc_retry_buffer_size", _RETRY_BUFFER_BYTES),
        ("grpc.max_receive_message_length", _MAX_RECEIVE_BYTES),
        # A registry that vanished without a word is noticed within a minute. Not sooner: before a ping, all leaves that
        # the system has taken for sending, and for 4 MiB a link of 1 Mbit/s needs half a minute.
        ("grpc.keepalive_time_ms", 10_000),
        ("grpc.keepalive_timeout_ms", 40_000),
        # It is this one that ends the wait for an answer to a ping, a minute by default.
        ("grpc.http2.ping_timeout_ms", 40_000),
        # No pings to measure the link: on a slow one their answers come late, behind the bytes of a transfer, and a
        # connection that moves would be given up. So the window is fixed; it is also all that a reader that stops is
        # sent.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", _WINDOW_BYTES),
        ("grpc.keepalive_permit_without_calls", 0),
        ("grpc.http2.max_pings_without_data", 0),
        # By default a client stays away for up to two minutes after an outage.
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 5_000),
        ("grpc.primary_user_agent", _user_agent()),
        # What is meant to stay on this machine must not be sent to a proxy.
        ("grpc.enable_http_proxy", int(not endpoint.local)),
        # Channels alike share a connection, and then small calls wait behind a transfer's bytes.
        ("grpc.use_local_subchannel_pool", int(bulk)),
    )


def _open_channel(endpoint: Endpoint, *, bulk: bool) -> grpc.aio.Channel:
    arguments = options(endpoint, bulk=bulk)
    if not endpoint.tls:
        return grpc.aio.insecure_channel(endpoint.target, options=arguments)
    credentials = grpc.ssl_channel_credentials(endpoint.root_certificates)
    return grpc.aio.secure_channel(endpoint.target, credentials, options=arguments)

"""Channels to one registry, and calls over them."""

import asyncio
import json
import os
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import uuid4

import grpc
import grpc.aio
from google.protobuf.descriptor import ServiceDescriptor

from modelyard._config import Endpoint
from modelyard._fork import register
from modelyard._status import from_rpc_error
from modelyard.errors import ModelyardError, UnavailableError
from modelyard.v1 import (
    artifacts_pb2,
    artifacts_pb2_grpc,
    deployments_pb2,
    deployments_pb2_grpc,
    evaluations_pb2,
    evaluations_pb2_grpc,
    events_pb2,
    events_pb2_grpc,
    lineage_pb2,
    lineage_pb2_grpc,
    registry_pb2,
    registry_pb2_grpc,
    webhooks_pb2,
    webhooks_pb2_grpc,
)

if TYPE_CHECKING:  # these names exist in the stubs' types only
    from modelyard.v1.artifacts_pb2_grpc import ArtifactsServiceAsyncStub
    from modelyard.v1.deployments_pb2_grpc import DeploymentsServiceAsyncStub
    from modelyard.v1.evaluations_pb2_grpc import EvaluationsServiceAsyncStub
    from modelyard.v1.events_pb2_grpc import EventsServiceAsyncStub
    from modelyard.v1.lineage_pb2_grpc import LineageServiceAsyncStub
    from modelyard.v1.registry_pb2_grpc import RegistryServiceAsyncStub
    from modelyard.v1.webhooks_pb2_grpc import WebhooksServiceAsyncStub

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")

_MAX_RECEIVE_BYTES: Final = 8 << 20
_WINDOW_BYTES: Final = 4 << 20
"""Of each stream on its way: 40 MB/s at a round trip of 100 ms."""
# A call that outgrows this is not retried: it must hold a version with its 10,000 files, and a batch of small blobs.
_RETRY_BUFFER_BYTES: Final = 4 << 20

_RETRY_POLICY: Final = {
    # 3 s in all: what a pull waits that can do without the registry, and anybody who has mistyped its address.
    "maxAttempts": 5,
    "initialBackoff": "0.2s",
    "backoffMultiplier": 2,
    "maxBackoff": "2s",
    # A server that has just told a connection to go cancels the calls that were already on their way to it.
    "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
}


def _method_configs(service: ServiceDescriptor) -> list[dict[str, Any]]:
    """Retries of the unary methods; those of streams are their callers' business, who resume them.

    No deadlines: one from here is not told to the server, so :meth:`Connection.call` sets them.
    """
    return [
        {
            "name": [{"service": service.full_name, "method": method.name}],
            "retryPolicy": _RETRY_POLICY,
        }
        for method in service.methods
        if not method.client_streaming and not method.server_streaming
    ]


PATIENCE: Final = 15.0
"""Seconds for which a registry that has answered before may be away: a failover, or a restart on a busy machine."""
_PAUSE: Final = 1.0
_random: Final = random.SystemRandom()


@cache
def service_config() -> str:
    """The retries of this SDK, as gRPC clients in every language read them. `make contract` publishes it."""
    services = (
        registry_pb2.DESCRIPTOR.services_by_name["RegistryService"],
        artifacts_pb2.DESCRIPTOR.services_by_name["ArtifactsService"],
        events_pb2.DESCRIPTOR.services_by_name["EventsService"],
        lineage_pb2.DESCRIPTOR.services_by_name["LineageService"],
        evaluations_pb2.DESCRIPTOR.services_by_name["EvaluationsService"],
        webhooks_pb2.DESCRIPTOR.services_by_name["WebhooksService"],
        deployments_pb2.DESCRIPTOR.services_by_name["DeploymentsService"],
    )
    return json.dumps(
        {
            "methodConfig": [config for service in services for config in _method_configs(service)],
            "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.1},
        }
    )


def _pause_after(error: ModelyardError) -> float | None:
    """Seconds to wait for a registry that is away; None for any other error."""
    if not isinstance(error, UnavailableError):
        return None
    # Clients that one restart threw out must not come back together.
    return max(_random.uniform(0, _PAUSE), error.retry_after or 0)


@cache
def _user_agent() -> str:
    try:
        return f"modelyard-python/{version('modelyard')}"
    except PackageNotFoundError:  # run from a source tree
        return "modelyard-python"


def _options(endpoint: Endpoint, *, bulk: bool) -> Sequence[tuple[str, str | int]]:
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


def _channel(endpoint: Endpoint, *, bulk: bool) -> grpc.aio.Channel:
    options = _options(endpoint, bulk=bulk)
    if not endpoint.tls:
        return grpc.aio.insecure_channel(endpoint.target, options=options)
    credentials = grpc.ssl_channel_credentials(endpoint.root_certificates)
    return grpc.aio.secure_channel(endpoint.target, credentials, options=options)


@dataclass(slots=True)
class _Channels:
    pid: int
    loop: asyncio.AbstractEventLoop
    metadata: grpc.aio.Channel
    bulk: grpc.aio.Channel
    registry: "RegistryServiceAsyncStub"
    artifacts: "ArtifactsServiceAsyncStub"
    events: "EventsServiceAsyncStub"
    lineage: "LineageServiceAsyncStub"
    evaluations: "EvaluationsServiceAsyncStub"
    webhooks: "WebhooksServiceAsyncStub"
    deployments: "DeploymentsServiceAsyncStub"
    watches: "EventsServiceAsyncStub"
    """For streams, which small calls don't wait behind."""
    calls: int = 0
    """How many are under way."""
    answered: bool = False
    """Whether the registry ever did."""


class Connection:
    """One registry, from one event loop. Channels are made at the first call.

    gRPC's objects belong to the process and the loop that made them. In a forked child, or under a new loop after the
    old one was closed, a connection makes itself new channels; see :mod:`modelyard._fork`.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.server: Final = endpoint.server
        """The registry's address in one spelling: what caches know it by."""
        self._endpoint = endpoint
        self._channels: _Channels | None = None
        self._closed = False

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop that the channels belong to; None if there are none."""
        return self._channels.loop if self._channels is not None else None

    @property
    def registry(self) -> "RegistryServiceAsyncStub":
        """What exists, and who points at it."""
        return self._current().registry

    @property
    def artifacts(self) -> "ArtifactsServiceAsyncStub":
        """The bytes, over a connection of their own."""
        return self._current().artifacts

    @property
    def events(self) -> "EventsServiceAsyncStub":
        """What happened."""
        return self._current().events

    @property
    def lineage(self) -> "LineageServiceAsyncStub":
        """What was made from what."""
        return self._current().lineage

    @property
    def evaluations(self) -> "EvaluationsServiceAsyncStub":
        """What versions were measured to be."""
        return self._current().evaluations

    @property
    def webhooks(self) -> "WebhooksServiceAsyncStub":
        """Who is told of events."""
        return self._current().webhooks

    @property
    def deployments(self) -> "DeploymentsServiceAsyncStub":
        """Who serves what."""
        return self._current().deployments

    @property
    def answered(self) -> bool:
        """Whether there is a registry at this address, as far as this connection knows."""
        return self._channels is not None and self._channels.answered

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What each call carries: a new request id for the logs, and the token."""
        request_id = ("x-request-id", str(uuid4()))
        if not self._endpoint.token:
            return (request_id,)
        return (request_id, ("authorization", f"Bearer {self._endpoint.token}"))

    async def call(
        self,
        method: "grpc.aio.UnaryUnaryMultiCallable[_Request, _Response]",
        request: _Request,
        *,
        timeout: float = 30.0,  # noqa: ASYNC109 - a deadline that the server is told
        patience: float = PATIENCE,
    ) -> _Response:
        """The answer of a unary method, retried while the registry is unavailable.

        ``timeout`` in seconds is for one attempt with its quick retries. A registry that has answered before is then
        given ``patience`` seconds to come back. Raises ``ModelyardError``.
        """
        clock = asyncio.get_running_loop().time
        give_up = clock() + patience
        metadata = self.metadata
        with self.in_use() as channels:
            while True:
                try:
                    answer = await method(request, timeout=timeout, metadata=metadata)
                except grpc.aio.AioRpcError as error:
                    pause = _pause_after(self.translate(error))
                    # Not kept in a variable: an error and this frame would keep each other, and with them the
                    # channel, which must be gone when the process forks.
                    if pause is None or not channels.answered or clock() >= give_up:
                        raise self.translate(error) from None
                else:
                    channels.answered = True
                    return answer
                await asyncio.sleep(pause)

    @contextmanager
    def in_use(self) -> Iterator[_Channels]:
        """Keeps the channels while streams are open, or stubs are kept: a fork of this process would free them."""
        channels = self._current()
        channels.calls += 1
        try:
            yield channels
        finally:
            channels.calls -= 1

    def translate(self, error: grpc.aio.AioRpcError) -> ModelyardError:
        """What a failed call means to the SDK's user; raise it ``from None``."""
        return from_rpc_error(error, self.server)

    def release(self) -> bool:
        """Frees the channels unless a call is under way, and tells whether none are left."""
        if self._channels is not None and self._channels.calls:
            return False
        self._channels = None
        return True

    async def close(self) -> None:
        """Ends the calls under way and the connections; there is no next call."""
        self._closed = True
        channels = self._channels
        # Those of another process or loop can't be closed from here.
        if channels is not None and channels.pid == os.getpid() and channels.loop is asyncio.get_running_loop():
            self._channels = None
            await channels.metadata.close()
            await channels.bulk.close()

    def _current(self) -> _Channels:
        if self._closed:
            raise RuntimeError("this client is closed; make a new one")
        loop = asyncio.get_running_loop()
        channels = self._channels
        if channels is not None and channels.pid == os.getpid():
            if channels.loop is loop:
                return channels
            if not channels.loop.is_closed():
                raise RuntimeError("this client is in use on another event loop; make one for each loop")
        register(self)
        metadata, bulk = _channel(self._endpoint, bulk=False), _channel(self._endpoint, bulk=True)
        self._channels = _Channels(
            pid=os.getpid(),
            loop=loop,
            metadata=metadata,
            bulk=bulk,
            registry=registry_pb2_grpc.RegistryServiceStub(metadata),
            artifacts=artifacts_pb2_grpc.ArtifactsServiceStub(bulk),
            events=events_pb2_grpc.EventsServiceStub(metadata),
            lineage=lineage_pb2_grpc.LineageServiceStub(metadata),
            evaluations=evaluations_pb2_grpc.EvaluationsServiceStub(metadata),
            webhooks=webhooks_pb2_grpc.WebhooksServiceStub(metadata),
            deployments=deployments_pb2_grpc.DeploymentsServiceStub(metadata),
            watches=events_pb2_grpc.EventsServiceStub(bulk),
        )
        return self._channels

"""The gRPC server: options, services, health, reflection."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import grpc
from grpc_reflection.v1alpha import reflection

from modelyard_server.calls import stages
from modelyard_server.calls.admission import Admission
from modelyard_server.calls.limits import Limits
from modelyard_server.calls.methods import Method
from modelyard_server.rpc.arrivals import Arrivals, Unknown
from modelyard_server.rpc.handlers import Handlers
from modelyard_server.rpc.health import Health, Probe
from modelyard_server.telemetry import Metrics

OPTIONS: Final[Sequence[tuple[str, int]]] = (
    # A second server on the same port fails instead of taking half of the calls.
    ("grpc.so_reuseport", 0),
    ("grpc.max_concurrent_streams", 100),
    # So that load balancers distribute connections again. Transfers that take longer resume.
    ("grpc.max_connection_age_ms", 30 * 60_000),
    ("grpc.max_connection_age_grace_ms", 10 * 60_000),
    # Clients ping six times a minute; the default, five minutes, would close their connections as abuse.
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # The resources of a peer that vanished are freed within half a minute.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # This option limits the wait for the answer to a ping. The default is a minute.
    ("grpc.http2.ping_timeout_ms", 10_000),
    # No pings to measure the bandwidth: on a slow link their answers wait behind the bytes of an upload, and a
    # working connection would be closed. So the window is fixed.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 4 << 20),
    ("grpc.server_handshake_timeout_ms", 10_000),
    # By default, gRPC cancels calls without an error if 1,000 are pending. With this option they get our error, which
    # says when to retry.
    ("grpc.server.max_pending_requests", 16_384),
    ("grpc.server.max_pending_requests_hard_limit", 32_768),
)
# A last resort. The limits of the classes of calls are much lower.
_MAX_CALLS: Final = 4096
# Seconds to send the last answers after the last call.
_FLUSH_SECONDS: Final = 0.2


class ListenError(Exception):
    """The server can't listen on the address."""


class CertificateFiles:
    """A certificate that is read again when its files change. So it can be rotated without a restart."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._paths = (certificate, key)
        self._stamps = self._stamp()

    def _stamp(self) -> tuple[int, ...]:
        return tuple(path.stat().st_mtime_ns for path in self._paths)

    def _read(self) -> grpc.ServerCertificateConfiguration:
        certificate, key = (path.read_bytes() for path in self._paths)
        return grpc.ssl_server_certificate_configuration([(key, certificate)])

    def _changed(self) -> grpc.ServerCertificateConfiguration | None:
        """Called at each handshake. None keeps the current certificate."""
        try:
            stamps = self._stamp()
            if stamps == self._stamps:
                return None
            configuration = self._read()
        except OSError:  # during a rotation: the next handshake tries again
            return None
        self._stamps = stamps
        return configuration

    def credentials(self) -> grpc.ServerCredentials:
        return grpc.dynamic_ssl_server_credentials(self._read(), self._changed, require_client_authentication=False)  # type: ignore[arg-type]  # the stub forgot None


class Server:
    """Serves the services of the contract, health and optionally reflection."""

    def __init__(
        self,
        methods: Mapping[str, Method],
        servicers: Sequence[object],
        *,
        limits: Limits,
        metrics: Metrics,
        probes: Mapping[str, Probe],
        reflect: bool,
    ) -> None:
        self._outcome = stages.Outcome(metrics)
        handlers = Handlers(
            (self._outcome, stages.errors, stages.caller, stages.deadline, Admission(metrics)),
            reader_stall=limits.reader_stall,
        ).of(methods.values(), servicers)
        self._services = tuple(handlers)
        self._server = grpc.aio.server(
            options=(*OPTIONS, ("grpc.max_receive_message_length", limits.message_bytes)),
            maximum_concurrent_rpcs=_MAX_CALLS,
        )
        self._server.add_generic_rpc_handlers([Arrivals(handlers, metrics)])
        self.health = Health(self._services, probes, metrics)
        self.health.add_to(self._server)
        if reflect:
            names = (*self._services, "grpc.health.v1.Health", reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, self._server)
        self._server.add_generic_rpc_handlers([Unknown(metrics)])

    def listen(self, address: str, certificate: CertificateFiles | None) -> int:
        """Binds ``host:port`` or ``unix:path``. Returns the port, which the system chooses for port 0."""
        try:
            if certificate is None:
                return self._server.add_insecure_port(address)
            return self._server.add_secure_port(address, certificate.credentials())
        except (RuntimeError, OSError) as error:
            raise ListenError(
                f"Can't listen on {address}. Another program may use the port, or the address is not of this machine."
                " Give another --listen."
            ) from error

    async def start(self) -> None:
        await self._server.start()
        await self.health.start()

    async def idle(self) -> None:
        """Waits until no call is being served."""
        await self._outcome.idle()

    async def stop(self, grace: float) -> None:
        """Sends GOAWAY, accepts no more calls, and gives running calls ``grace`` seconds."""
        stopping = asyncio.create_task(self._server.stop(grace))
        idle = asyncio.create_task(self.idle())
        await asyncio.wait((stopping, idle), return_when=asyncio.FIRST_COMPLETED)
        idle.cancel()
        # Only health watches are left. They have the new status, and must not use up the grace period.
        await self._server.stop(min(grace, _FLUSH_SECONDS))
        await stopping

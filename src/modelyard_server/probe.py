"""Asks the health service of a running server."""

import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

_TIMEOUT_SECONDS: Final = 3.0
OPTIONS: Final[Sequence[tuple[str, int]]] = (
    # A proxy would answer for itself, or not reach this machine's own addresses.
    ("grpc.enable_http_proxy", 0),
)


class ProbeError(Exception):
    """The server does not serve, or does not answer."""


def certified_name(address: str, certificate: Path) -> str | None:
    """The first name in the certificate of the server at ``host:port``, if ``certificate`` verifies it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= (
        ssl.VERIFY_X509_PARTIAL_CHAIN
    )  # allows an intermediate as trust anchor: a server has its own chain, not the root
    context.set_alpn_protocols(["h2"])
    host, _, port = address.rpartition(":")
    try:
        context.load_verify_locations(certificate)
        with (
            socket.create_connection((host.strip("[]"), int(port)), timeout=_TIMEOUT_SECONDS) as plain,
            context.wrap_socket(plain) as connection,
        ):
            shown = connection.getpeercert()
    except OSError as error:
        raise ProbeError(f"{address} does not answer: {error}") from error
    names = (shown or {}).get("subjectAltName", ())
    return str(names[0][1]) if names else None


def _channel(address: str, trusted: Path | None, authority: str | None) -> grpc.Channel:
    if trusted is None:
        return grpc.insecure_channel(address, OPTIONS)
    options: list[tuple[str, str | int]] = [*OPTIONS]
    if authority:
        options.append(("grpc.ssl_target_name_override", authority))
    try:
        roots = trusted.read_bytes()
    except OSError as error:
        raise ProbeError(f"can't read {trusted}: {error.strerror}") from error
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(roots), options)


def probe(address: str, *, trusted: Path | None, authority: str | None) -> None:
    """Asks the health service at ``host:port`` or ``unix:path``, with TLS if trusted certificates are given."""
    with _channel(address, trusted, authority) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=_TIMEOUT_SECONDS
            )
        except grpc.RpcError as error:
            raise ProbeError(f"{address} does not answer: {error.code().name}") from error
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        raise ProbeError(f"{address} is {health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)}")

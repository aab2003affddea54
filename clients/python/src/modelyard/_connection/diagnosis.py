"""Why a registry can't be reached, in words that say what to do.

gRPC reports the last address that failed, and a refused ``::1`` hides the expired certificate at ``127.0.0.1``. So
after a failure one connection is made by hand, with the same certificates, and its error is explained.
"""

import asyncio
import os
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Final

import grpc

from modelyard._config import Endpoint

_PATIENCE: Final = 2.0
"""Seconds for each address."""
_PROXIES: Final = ("grpc_proxy", "https_proxy", "http_proxy")
_HELLO: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)
"""The beginning of HTTP/2, with empty settings."""
_SETTINGS: Final = 4
"""The kind of the first frame of HTTP/2, in its fourth byte."""
_TLS_ALERT: Final = 21
_EXPIRED: Final = 10
_NOT_YET_VALID: Final = 9
_WRONG_NAME: Final = (62, 64)
"""OpenSSL's codes for another host name and another IP address."""


async def diagnose(endpoint: Endpoint) -> str | None:
    """What keeps connections from being made; None if nothing is found or the way is not ours, as through a proxy."""
    if endpoint.address is None or (not endpoint.local and any(map(os.environ.get, _PROXIES))):
        return None
    host, port = endpoint.address
    try:
        async with asyncio.timeout(_PATIENCE):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError:
        return f"the host name {host!r} is not resolved in time. Check the network and its DNS."
    except OSError:
        return f"the host name {host!r} is unknown. Check MODELYARD_URL and the network's DNS."
    why: str | None = None
    for address in dict.fromkeys(str(each[4][0]) for each in found):
        try:
            async with asyncio.timeout(_PATIENCE):
                # What comes from a connection says more than that there is none at another address.
                return await _speak(endpoint, host, address, port)
        except ConnectionRefusedError:
            why = why or f"nothing listens on port {port} of {host}. Check that the server runs, and MODELYARD_URL."
        except TimeoutError:
            why = f"{host} does not answer on port {port}. A firewall may drop the packets."
        except OSError as error:
            why = why or f"{error.strerror or error}. Check the network and MODELYARD_URL."
    return why


async def _speak(endpoint: Endpoint, host: str, address: str, port: int) -> str | None:
    """What is wrong with an address that takes connections; None if nothing. Raises ``OSError`` if it takes none."""
    context = _context(endpoint) if endpoint.tls else None
    try:
        reader, writer = await asyncio.open_connection(
            address, port, ssl=context, server_hostname=host if context is not None else None
        )
    except ssl.SSLCertVerificationError as error:
        return _about_certificate(error, host)
    except (ssl.SSLError, ConnectionResetError):
        return f"port {port} of {host} does not speak TLS. Use grpc:// if the registry serves without TLS."
    try:
        if context is not None:
            return None
        writer.write(_HELLO)
        answer = b""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            answer = await reader.readexactly(5)
        if answer[3:4] == bytes([_SETTINGS]):
            return None
        if not answer or answer[0] == _TLS_ALERT:
            return f"port {port} of {host} does not speak gRPC without TLS. Use grpcs:// if the registry serves TLS."
        return f"port {port} of {host} speaks another protocol than gRPC. Check MODELYARD_URL."
    finally:
        writer.close()


def _context(endpoint: Endpoint) -> ssl.SSLContext:
    """Trusts what the channel trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["h2"])
    if endpoint.root_certificates is not None:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(cadata=endpoint.root_certificates.decode(errors="replace"))
        return context
    bundled = Path(grpc.__file__).with_name("_cython") / "_credentials" / "roots.pem"
    chosen = os.environ.get("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH") or str(bundled)
    try:
        context.load_verify_locations(chosen)
    except OSError:
        context.load_default_certs()
    return context


def _about_certificate(error: ssl.SSLCertVerificationError, host: str) -> str:
    if error.verify_code == _EXPIRED:
        return "its certificate has expired. The registry's operator must renew it."
    if error.verify_code == _NOT_YET_VALID:
        return "its certificate is not valid yet. Check this machine's clock."
    if error.verify_code in _WRONG_NAME:
        return f"its certificate is not for the name {host!r}. Use the name in the certificate, or check MODELYARD_URL."
    named = os.environ.get("MODELYARD_CA_FILE")
    if named:
        return (
            f"its certificate was not signed by those in MODELYARD_CA_FILE ({named!r}): {error.verify_message}. Get the"
            " registry's CA certificate from its operator."
        )
    return (
        f"its certificate is not trusted: {error.verify_message}. If your organization signs its own certificates, set"
        " MODELYARD_CA_FILE to the file with its CA certificate (PEM)."
    )

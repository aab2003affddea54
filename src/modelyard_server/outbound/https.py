"""Posting over HTTPS to where somebody else says.

Each address is checked when its socket is made, after the name was resolved and before anything is sent: whatever a
name resolves to by then, and however it is spelled, nothing reaches a network that the registry may not reach. There
are no proxies, cookies or redirects, and of an answer nothing but its head is read.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import version
from ipaddress import ip_address
from time import perf_counter
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from modelyard_server.outbound.addresses import Network, may_reach
from modelyard_server.outbound.sender import Answer
from modelyard_server.outbound.urls import check_url

# Seconds for all of it: the name, the connection, TLS, the request and the head of the answer.
_DEADLINE: Final = 10.0
_SECONDS: Final = re.compile("[0-9]{1,5}")
# That look names up: a lookup can't be cancelled, and a name server that says nothing holds its thread for long.
_LOOKUPS: Final = 16


_UNREACHABLE: Final = "its name can't be resolved, or its address is not one that the registry may reach"


class _AddressRefusedError(OSError):
    """The name resolves to where the registry may not go."""


class _Resolver(AbstractResolver):
    """Asks the system, in threads of its own: those of the process have other things to do than to wait for names."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_LOOKUPS, thread_name_prefix="names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        look_up = partial(socket.getaddrinfo, host, port, family=family, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=int(address[1]),
                family=found_family,
                proto=protocol,
                flags=socket.AI_NUMERICHOST,
            )
            for found_family, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class HttpsSender:
    """See :class:`~modelyard_server.outbound.sender.WebhookSender`."""

    def __init__(self, allowed: Sequence[Network] = (), *, deadline: float = _DEADLINE) -> None:
        """``allowed`` are networks that may be reached although they are not of the public internet."""
        self._allowed = tuple(allowed)
        self._deadline = deadline
        self._resolver = _Resolver()
        self._session: aiohttp.ClientSession | None = None

    def check(self, url: str) -> None:
        check_url(url, self._allowed)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        started = perf_counter()
        status_code, error, retry_after = 0, "", None
        try:
            # As it was checked: not normalised, not unquoted.
            target = URL(url, encoded=True)
            async with (
                asyncio.timeout(self._deadline),
                self._opened().post(target, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                status_code, error = answer.status, _refusal(answer.status)
                retry_after = _seconds(answer.headers.get("retry-after", ""))
                answer.close()  # what else it would say is nothing to us, and may be endless
        except (aiohttp.ClientError, OSError, ValueError) as failure:
            error = f"no answer within {self._deadline:g} s" if isinstance(failure, TimeoutError) else _told(failure)
        return Answer(status_code, error, perf_counter() - started, retry_after)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                socket_factory=self._socket,
                # SSL_CERT_FILE and the system say whom to trust.
                ssl=ssl.create_default_context(),
                resolver=self._resolver,
                # Who posts bounds how much is posted at once; waiting here would count as the receiver's time.
                limit=0,
                # A connection that is kept would be used again without a look at its address.
                force_close=True,
                use_dns_cache=False,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=self._deadline),
                headers={"user-agent": f"modelyard-server/{version('modelyard-server')}"},
                auto_decompress=False,
                trust_env=False,
            )
        return self._session

    def _socket(self, info: Any) -> socket.socket:
        """The socket for one address that a name was resolved to."""
        family, kind, protocol, _, address = info
        if not may_reach(ip_address(str(address[0]).partition("%")[0]), self._allowed):
            raise _AddressRefusedError("refused")
        return socket.socket(family, kind, protocol)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
        await self._resolver.close()


def _refusal(status: int) -> str:
    if 200 <= status < 300:
        return ""
    return f"answered {status}" + ("; redirects are not followed" if 300 <= status < 400 else "")


def _told(failure: Exception) -> str:
    """Why nothing came, in words that tell nothing of our own network."""
    match failure:
        # In one breath: else this would tell which names there are inside.
        case aiohttp.ClientConnectorDNSError():
            return _UNREACHABLE
        case aiohttp.ClientConnectorCertificateError(certificate_error=ssl.SSLCertVerificationError() as untrusted):
            return f"its certificate is not trusted: {untrusted.verify_message}"
        case aiohttp.ClientConnectorSSLError() | ssl.SSLError():
            return "no TLS connection could be made"
        case aiohttp.ClientConnectorError(os_error=_AddressRefusedError()) | _AddressRefusedError():
            return _UNREACHABLE
        case aiohttp.ClientConnectorError():
            return "no connection could be made"
        case aiohttp.InvalidURL() | ValueError():
            return "its URL can't be posted to"
        case _:
            return "the connection broke, or the answer was no HTTP"


def _seconds(value: str) -> float | None:
    """Of a Retry-After; one that is a date, or absurd, is left to our own pauses."""
    return float(value) if _SECONDS.fullmatch(value) else None

"""Posts over HTTPS to URLs of callers.

Each address is checked when its socket is created: after the name was resolved, and before any byte is sent. So no
spelling and no change of a name reaches a network that is not allowed. There are no proxies, cookies or redirects. Only
the head of an answer is read.
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

# Seconds for the whole attempt: name, connection, TLS, request, and the head of the answer.
_DEADLINE_SECONDS: Final = 10.0
_RETRY_AFTER: Final = re.compile("[0-9]{1,5}")
# Threads for name lookups. A lookup can't be cancelled, and a silent name server blocks its thread for long.
_LOOKUP_THREADS: Final = 16


_UNREACHABLE: Final = "its name can't be resolved, or the registry may not connect to its address"


class _AddressRefusedError(OSError):
    """The name resolves to an address that is not allowed."""


class _Resolver(AbstractResolver):
    """Asks the system's resolver in its own threads, so that slow lookups don't block other work of the process."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_LOOKUP_THREADS, thread_name_prefix="names")

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

    def __init__(self, allowed: Sequence[Network] = (), *, deadline: float = _DEADLINE_SECONDS) -> None:
        """``allowed`` are non-public networks that the operator allows."""
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
            # The URL as checked: not normalised, not unquoted.
            target = URL(url, encoded=True)
            async with (
                asyncio.timeout(self._deadline),
                self._opened().post(target, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                status_code, error = answer.status, _refusal(answer.status)
                retry_after = _seconds(answer.headers.get("retry-after", ""))
                answer.close()  # the body is not needed, and may be endless
        except (aiohttp.ClientError, OSError, ValueError) as failure:
            error = (
                f"no answer within {self._deadline:g} s"
                if isinstance(failure, TimeoutError)
                else _describe_failure(failure)
            )
        return Answer(status_code, error, perf_counter() - started, retry_after)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                socket_factory=self._socket,
                # Trusted certificates come from SSL_CERT_FILE and the system.
                ssl=ssl.create_default_context(),
                resolver=self._resolver,
                # The caller limits concurrent posts. Waiting here would count as the receiver's time.
                limit=0,
                # A kept connection would be used again without a check of its address.
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
        """Creates the socket for one resolved address."""
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


def _describe_failure(failure: Exception) -> str:
    """The error for the owner of the URL. It reveals nothing about the registry's network."""
    match failure:
        # One text for both: different texts would reveal the names of the private network.
        case aiohttp.ClientConnectorDNSError():
            return _UNREACHABLE
        case aiohttp.ClientConnectorCertificateError(certificate_error=ssl.SSLCertVerificationError() as untrusted):
            return f"its certificate is not trusted: {untrusted.verify_message}"
        case aiohttp.ClientConnectorSSLError() | ssl.SSLError():
            return "the TLS handshake failed"
        case aiohttp.ClientConnectorError(os_error=_AddressRefusedError()) | _AddressRefusedError():
            return _UNREACHABLE
        case aiohttp.ClientConnectorError():
            return "the connection failed"
        case aiohttp.InvalidURL() | ValueError():
            return "its URL can't be posted to"
        case _:
            return "the connection was closed, or the answer was not HTTP"


def _seconds(value: str) -> float | None:
    """Seconds of a Retry-After header; None for a date or an unreasonable value."""
    return float(value) if _RETRY_AFTER.fullmatch(value) else None

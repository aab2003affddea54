"""Warns before the server's own certificate expires."""

import asyncio
import math
import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from modelyard_server.calls.caller import Clock
from modelyard_server.jobs import Job
from modelyard_server.telemetry import Metrics

_log: Final = structlog.get_logger("modelyard.server")
_NOTICE: Final = timedelta(days=7)
_REMIND: Final = timedelta(days=1)
_LOOK_SECONDS: Final = 60.0
"""Interval at which a new certificate is noticed."""
_NO_CHECK_TIME: Final = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME: an expired certificate is read like any other."""


def expiry_of(certificate: Path, key: Path) -> datetime:
    """When the certificate of a server expires: the first in the file, which may hold its chain too.

    It is read as a client sees it, in a handshake in memory.

    Raises:
        OSError: A file can't be read, or holds no certificate, or the key is that of another one.
    """
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.set_ciphers("DEFAULT:@SECLEVEL=0")  # a short key expires as well
    # With a password, an encrypted key is refused. Without, a person would be asked for it.
    server.load_cert_chain(certificate, key, password="")
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.set_ciphers("DEFAULT:@SECLEVEL=0")
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VerifyFlags(_NO_CHECK_TIME)
    client.load_verify_locations(certificate)
    sent, received = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = client.wrap_bio(received, sent), server.wrap_bio(sent, received, server_side=True)
    # A handshake of TLS 1.3 takes the client two turns, one of TLS 1.2 three.
    for _ in range(3):
        for end in ends:
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
    shown = ends[0].getpeercert()
    if not shown:
        raise ssl.SSLError(f"the certificate in {certificate} can't be read")
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC)


def _stamps(*paths: Path) -> tuple[int, ...]:
    try:
        return tuple(path.stat().st_mtime_ns for path in paths)
    except OSError:
        return ()


class CertificateExpiry(Job):
    """Warns in the log at the start and then daily, from a week before the certificate expires. Keeps the metric."""

    def __init__(self, files: tuple[Path, Path] | None, clock: Clock, metrics: Metrics) -> None:
        """``files`` are the certificate and its key; None if the server has no TLS."""
        self._files = files
        self._clock = clock
        self._stamps: tuple[int, ...] | None = None
        self._expiry: datetime | None = None
        self._warned: datetime | None = None
        self._looking: asyncio.Task[None] | None = None
        metrics.gauge(
            "modelyard_certificate_remaining_seconds",
            "Seconds until the server's certificate expires; below 0 after that, NaN without TLS.",
            self._remaining,
        )

    def _remaining(self) -> float:
        return math.nan if self._expiry is None else (self._expiry - self._clock()).total_seconds()

    async def start(self) -> None:
        if self._files is not None:
            self.look(*self._files)
            self._looking = asyncio.create_task(self._look_for_ever(*self._files))

    async def stop(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking

    async def _look_for_ever(self, certificate: Path, key: Path) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self.look(certificate, key)

    def look(self, certificate: Path, key: Path) -> None:
        """Reads the files if they have changed, and warns if it is time to."""
        stamps = _stamps(certificate, key)
        if stamps != self._stamps:
            self._stamps = stamps
            try:
                self._expiry, self._warned = expiry_of(certificate, key), None
            except OSError as error:  # for example between the changes of the two files
                _log.warning("can't tell when the certificate expires", certificate=str(certificate), reason=str(error))
        now = self._clock()
        if self._expiry is None or self._expiry - now > _NOTICE:
            return
        # A clock that was put back delays no warning.
        if self._warned is None or abs(now - self._warned) >= _REMIND:
            self._warned = now
            message = "the certificate has expired" if self._expiry <= now else "the certificate expires soon"
            _log.warning(
                message,
                certificate=str(certificate),
                expires=self._expiry.isoformat(),
                next="Replace the files of tls_cert and tls_key; no restart is needed.",
            )

"""The client's settings: arguments first, then environment variables.

``MODELYARD_URL``          ``grpc://host:port`` (plaintext), ``grpcs://host:port`` (TLS), or a target that gRPC knows:
                           ``unix:…`` (plaintext), ``dns:///…``, ``ipv4:…``, ``ipv6:…``, ``xds:///…`` (TLS)
``MODELYARD_TOKEN``        sent with each call; never in plaintext to another machine
``MODELYARD_CA_FILE``      certificates (PEM) to trust instead of the usual ones
``MODELYARD_INSECURE``     1 allows plaintext to another machine, though never with a token
``MODELYARD_CACHE_DIR``    else ``$XDG_CACHE_HOME/modelyard``, else ``~/.cache/modelyard``
``MODELYARD_CACHE_BYTES``  how large the cache may grow, as ``50GB`` or ``50GiB``; 100 GiB unless set
"""

import os
import re
import ssl
from dataclasses import dataclass, field
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from modelyard.errors import CacheError, InvalidArgumentError

DEFAULT_URL: Final = "grpc://127.0.0.1:4850"
DEFAULT_CACHE_BYTES: Final = 100 * 1024**3

_DEFAULT_PORTS: Final = {"grpc": 4850, "grpcs": 443}
_GRPC_TARGETS: Final = ("unix:", "dns:", "ipv4:", "ipv6:", "xds:")
_HOW: Final = "Use grpc://host:port, grpcs://host:port for TLS, or a gRPC target such as dns:///host:port or unix:/path"
# The part of a gRPC target that holds a host, as in dns:///host:port, dns://resolver/host:port and ipv4:1.2.3.4:4850.
_TARGET_HOST: Final = re.compile(r"(?:dns|ipv4|ipv6):(?://[^/]*/)?(\[[^]]+\]|[^:/]+)(?::(\d{1,5}))?")
_YES: Final = ("1", "true", "yes", "on")
_NO: Final = ("", "0", "false", "no", "off")
_SIZE: Final = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9}(?=\s*[kmgtp]))?)\s*(?:([kmgtp])(i)?)?b?", re.IGNORECASE)
# What HTTP/2 carries in a header.
_TOKEN: Final = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A registry, and how to speak to it."""

    target: str
    """As gRPC wants it."""
    server: str
    """The address in one spelling: what caches know the registry by."""
    tls: bool
    local: bool
    """Whether what is sent stays on this machine."""
    address: tuple[str, int] | None = None
    """Host and port, if it is one of each."""
    root_certificates: bytes | None = field(default=None, repr=False)
    """PEM; None for the usual ones."""
    token: str = field(default="", repr=False)


def endpoint(url: str | None = None, *, token: str | None = None, insecure: bool = False) -> Endpoint:
    """The registry to use. ``insecure``, or the variable, allows plaintext to another machine, never with a token.

    Raises ``InvalidArgumentError`` if the address, the token or the certificates are no good.
    """
    url = (url or os.environ.get("MODELYARD_URL") or DEFAULT_URL).strip()
    token = (os.environ.get("MODELYARD_TOKEN", "") if token is None else token).strip()
    insecure = insecure or _is_allowed("MODELYARD_INSECURE")
    target, server, tls, local, address = _parse_target(url, insecure=insecure) if _is_target(url) else _parse_url(url)
    if not tls and not local:
        if not insecure:
            raise _invalid(
                "url",
                f"{url!r} would send everything in plaintext to another machine. Use grpcs://, with"
                " MODELYARD_CA_FILE if your organization signs its own certificates. If you trust the network, allow it"
                " by insecure=True or MODELYARD_INSECURE=1.",
            )
        if token:
            raise _invalid("token", f"would be sent in plaintext to {server}. Use grpcs://, or unset MODELYARD_TOKEN.")
    if token and not _TOKEN.fullmatch(token):
        raise _invalid("token", "has characters that are not printable ASCII.")
    return Endpoint(
        target=target,
        server=server,
        tls=tls,
        local=local,
        address=address,
        root_certificates=_root_certificates() if tls else None,
        token=token,
    )


def cache_dir(given: str | os.PathLike[str] | None = None) -> Path:
    """Where pulled models are kept; absolute. Raises ``CacheError`` if there is no home folder to put them in."""
    chosen = given or os.environ.get("MODELYARD_CACHE_DIR")
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        if chosen:
            return Path(chosen).expanduser().absolute()
        # A relative one is to be ignored, says the XDG specification.
        return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "modelyard"
    except RuntimeError:
        raise CacheError(
            "This user has no home folder for the cache. Set MODELYARD_CACHE_DIR.", reason="NO_CACHE_DIR"
        ) from None


def cache_bytes(given: int | None = None) -> int:
    """How large the cache may grow. Raises ``InvalidArgumentError`` if that is no positive size."""
    text = str(given) if given is not None else os.environ.get("MODELYARD_CACHE_BYTES") or str(DEFAULT_CACHE_BYTES)
    size = parse_size(text, "cache_bytes")
    if size < 1:
        raise _invalid("cache_bytes", f"{text[:80]!r} is not a positive size.")
    return size


def parse_size(text: str, name: str) -> int:
    """Bytes, as ``1000``, ``10GB`` (powers of 1000) or ``10GiB`` (powers of 1024); ``name`` is what it was given as.

    Raises ``InvalidArgumentError`` if it is no size.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise _invalid(name, f"{text[:80]!r} is not a size. Use a number of bytes, or for example 10GB or 10GiB.")
    number, prefix, binary = found.groups()
    return int(Decimal(number) * (1024 if binary else 1000) ** " KMGTP".index((prefix or " ").upper()))


def state_dir(given: str | os.PathLike[str] | None = None) -> Path | None:
    """Where pushes note how far they came; None if there is no such place, and none of them can be resumed."""
    try:
        return cache_dir(given)
    except CacheError:
        return None


def _is_target(url: str) -> bool:
    return url.startswith(_GRPC_TARGETS)


def _parse_url(url: str) -> tuple[str, str, bool, bool, tuple[str, int] | None]:
    if "@" in url:
        # What stands before it may be a password: the message doesn't repeat it.
        raise _invalid("url", f"has credentials in it. {_HOW}, and MODELYARD_TOKEN for credentials.")
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError as error:
        raise _invalid("url", f"Invalid URL {url[:200]!r}: {error}. {_HOW}.") from None
    if port is None or not parts.hostname or parts.scheme not in _DEFAULT_PORTS:
        raise _invalid("url", f"Invalid URL {url[:200]!r}. {_HOW}.")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise _invalid("url", f"Invalid URL {url[:200]!r}: it has more than a host and a port. {_HOW}.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    server = f"{parts.scheme}://{host}:{port}"
    address = parts.hostname, port
    return f"dns:///{host}:{port}", server, parts.scheme == "grpcs", _is_loopback(parts.hostname), address


def _parse_target(url: str, *, insecure: bool) -> tuple[str, str, bool, bool, tuple[str, int] | None]:
    if url.startswith("unix:"):
        return url, url, False, True, None
    found = _TARGET_HOST.fullmatch(url)
    if found is None:
        return url, url, not insecure, False, None
    host = found.group(1).strip("[]")
    address = (host, int(found.group(2))) if found.group(2) else None
    return url, url, not insecure, _is_loopback(host), address


def _is_loopback(host: str) -> bool:
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)  # ::ffff:127.0.0.1
    return (mapped or address).is_loopback


def _root_certificates() -> bytes | None:
    path = os.environ.get("MODELYARD_CA_FILE")
    if not path:
        return None
    try:
        certificates = Path(path).expanduser().read_bytes()
    except (OSError, RuntimeError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise _invalid("MODELYARD_CA_FILE", f"{path!r} can't be read: {why}") from None
    try:
        # gRPC would take anything, and then reach nobody.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=certificates.decode("ascii", "replace"))
    except ssl.SSLError:
        raise _invalid(
            "MODELYARD_CA_FILE", f"{path!r} holds no certificate. Give a file with certificates in PEM form."
        ) from None
    return certificates


def _is_allowed(variable: str) -> bool:
    value = os.environ.get(variable, "").strip().lower()
    if value not in {*_YES, *_NO}:
        raise _invalid(variable, f"{value[:80]!r} is neither yes nor no. Use 1 or 0.")
    return value in _YES


def _invalid(name: str, why: str) -> InvalidArgumentError:
    return InvalidArgumentError([(name, why)], reason="CONFIGURATION")

"""URLs that the registry may post to."""

import re
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from modelyard_server.outbound.addresses import Address, Network, may_reach

MAX_LENGTH: Final = 2048
_HOST: Final = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
# Texts that a resolver reads as IPv4 addresses: `2130706433`, `127.1`, `0x7f.0.0.1`.
_NUMERIC: Final = re.compile(r"(?:.*\.)?(?:0[xX][0-9a-fA-F]*|[0-9]+)\.?")
_DOTTED_QUAD: Final = re.compile(r"(?:0|[1-9][0-9]{0,2})(?:\.(?:0|[1-9][0-9]{0,2})){3}")
# Names that are never public (RFC 6761, 6762, 8375, ICANN's `.internal`).
_LOCAL: Final = ("localhost", "localdomain", "local", "internal", "intranet", "private", "lan", "home.arpa")
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+")


class AddressNotAllowedError(ValueError):
    """The address of the URL is not allowed."""


def check_url(url: str, allowed: Sequence[Network]) -> None:
    """Raises ``ValueError`` if a webhook may not have this URL.

    The address of a name is checked at each connection, because it may change at any time.
    """
    if len(url) > MAX_LENGTH or not _VISIBLE.fullmatch(url) or "\\" in url:
        raise ValueError(
            f"must be at most {MAX_LENGTH} characters of plain ASCII, without spaces. Percent-encode other characters."
        )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("is not a URL. Use one like 'https://hooks.example.com/modelyard'.") from None
    if parts.scheme != "https":
        raise ValueError(
            f"must begin with 'https://', not with '{parts.scheme[:20]}:'. Events are sent encrypted only."
        )
    if "@" in parts.netloc:
        raise ValueError("must have no user or password. The signature shows the sender.")
    if parts.fragment or url.endswith("#"):
        raise ValueError("must have no fragment, because fragments are not sent")
    if port == 0:
        raise ValueError("must not have port 0")
    _check_host(host, allowed)


def _check_host(host: str, allowed: Sequence[Network]) -> None:
    if (address := _literal(host)) is not None:
        if not may_reach(address, allowed):
            raise not_allowed(host)
        return
    name = host.removesuffix(".")
    if _NUMERIC.fullmatch(host):
        raise AddressNotAllowedError(f"the host {host[:80]!r} is an address in an unusual form. Use the usual form.")
    if name in _LOCAL or name.endswith(tuple(f".{local}" for local in _LOCAL)) or "." not in name:
        # A private name is allowed if the operator has allowed a network.
        if not allowed:
            raise not_allowed(host)
        return
    if not _HOST.fullmatch(name):
        raise ValueError(f"{host[:80]!r} is not a host name. Write international names in punycode.")


def _literal(host: str) -> Address | None:
    if ":" not in host and not _DOTTED_QUAD.fullmatch(host):
        return None
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        raise ValueError(f"{host[:80]!r} is not an address") from None


def not_allowed(host: str) -> AddressNotAllowedError:
    return AddressNotAllowedError(
        f"the host {host[:80]!r} is not public. The registry's operator can allow a network with --webhook-networks."
    )

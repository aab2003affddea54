"""The addresses that the registry may connect to at the request of a caller.

Only public addresses, unless the operator allows a network. An IPv6 address that contains an IPv4 address counts as
that one, because a packet to it arrives there.
"""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# The public range of IPv6. All other ranges are local, special or not assigned (RFC 4291, IANA).
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_ISATAP: Final = 0x5EFE
# Special ranges of IPv4 (RFC 6890 and others) that ``is_global`` does not know in every release of Python.
_SPECIAL: Final = tuple(
    map(IPv4Network, ("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4"))
)


def may_reach(address: Address, allowed: Sequence[Network]) -> bool:
    """Whether the registry may connect to ``address``. ``allowed`` are networks that the operator allows."""
    ends = [address, *_carried(address)]
    if any(each in network for each in ends for network in allowed if each.version == network.version):
        return True
    return _is_public(address)


def _carried(address: Address) -> Iterator[IPv4Address]:
    """The IPv4 addresses that an IPv6 address contains."""
    if isinstance(address, IPv4Address):
        return
    for each in (address.ipv4_mapped, address.sixtofour, *(address.teredo or ())):
        if each is not None:
            yield each
    # NAT64, and IPv4-compatible, which is deprecated.
    if address in _NAT64 or int(address) >> 32 == 0:
        yield _low(address)


def _low(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & 0xFFFF_FFFF)


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        special = any(address in network for network in _SPECIAL)
        return address.is_global and not address.is_multicast and not special
    if carried := list(_carried(address)):
        return all(map(_is_public, carried))
    # ISATAP: a router of the address's network forwards the packet to the IPv4 address at its end.
    if (int(address) >> 32) & 0xFDFF_FFFF == _ISATAP and not _is_public(_low(address)):
        return False
    return address in _GLOBAL_UNICAST and address.is_global and not address.is_multicast

"""Where the registry may be sent by others: the public internet, and what its operator allows."""

from ipaddress import ip_address, ip_network

import pytest

from modelyard_server.outbound.addresses import may_reach
from modelyard_server.outbound.urls import AddressNotAllowedError, check_url

_PRIVATE = [
    *("127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
    *("192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1"),
    *("255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1", "100::1"),
    # IPv4 inside: mapped, compatible, NAT64, 6to4, Teredo, ISATAP.
    *("::ffff:127.0.0.1", "::ffff:100.64.0.1", "::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1"),
    # An ISATAP address counts by the network that it is in too.
    *("fd00::5efe:808:808", "fe80::5efe:808:808", "2001:db8::5efe:808:808"),
    *("2002:7f00:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2606:4700::5efe:10.0.0.1", "2606:4700::200:5efe:a00:1"),
]
_PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::808:808", "2002:808:808::1", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("address", _PRIVATE)
def test_private_addresses_are_out_of_reach(address: str) -> None:
    assert not may_reach(ip_address(address), [])


@pytest.mark.parametrize("address", _PUBLIC)
def test_public_addresses_can_be_reached(address: str) -> None:
    assert may_reach(ip_address(address), [])


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3"])
def test_an_operator_may_allow_a_network(address: str) -> None:
    allowed = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]

    assert may_reach(ip_address(address), allowed)
    assert not may_reach(ip_address("192.168.1.1"), allowed)


@pytest.mark.parametrize(
    "url",
    [
        *(f"https://[{address}]/" if ":" in address else f"https://{address}/" for address in _PRIVATE),
        *(
            "https://2130706433/",
            "https://127.1/",
            "https://0x7f.0.0.1/",
            "https://017700000001/",
            "https://127.0.0.1./",
        ),
        *("https://localhost/", "https://a.localhost./", "https://db/", "https://vault.internal/", "https://x.local/"),
    ],
)
def test_urls_that_lead_inside_are_not_allowed(url: str) -> None:
    with pytest.raises(AddressNotAllowedError):
        check_url(url, [])


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://example.com/", "must begin with 'https://'"),
        ("file:///etc/passwd", "must begin with 'https://'"),
        ("https://user:secret@example.com/", "no user or password"),
        ("https://example.com/#x", "no fragment"),
        ("https://example.com:0/", "port 0"),
        ("https://example.com:99999/", "is not a URL"),
        ("https:///x", "is not public"),
        ("https://exa mple.com/", "plain ASCII"),
        ("https://exämple.com/", "plain ASCII"),
        ("https://example.com\\@10.0.0.1/", "plain ASCII"),
        ("https://-x.example.com/", "is not a host name"),
        ("https://[::1/", "is not a URL"),
        ("https://" + "a." * 1100 + "com/", "at most 2048"),
    ],
)
def test_invalid_urls_are_refused_with_a_reason(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check_url(url, [])


@pytest.mark.parametrize(
    "url", ["https://hooks.example.com/a/b?c=d", "https://8.8.8.8:8443/x", "https://xn--bcher-kva.de"]
)
def test_public_urls_are_taken(url: str) -> None:
    check_url(url, [])


def test_private_names_need_an_allowed_network() -> None:
    """What they resolve to must be in it, as is seen when they are connected to."""
    check_url("https://ci.internal/hook", [ip_network("10.0.0.0/8")])

"""A111: receivers of webhooks that want more than to be told."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any

import pytest
from tests.support.children import PATIENCE
from tests.support.receiver import CERTIFICATE, Receiver, receiving

from modelyard_server.outbound.https import HttpsSender

_LOOPBACK = ip_network("127.0.0.0/8")


@pytest.fixture(autouse=True)
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


@pytest.fixture
async def sender() -> AsyncIterator[HttpsSender]:
    """May post to this machine."""
    made = HttpsSender([_LOOPBACK])
    yield made
    await made.close()


def _port(receiver: Receiver) -> str:
    return receiver.url.rpartition(":")[2].partition("/")[0]


@pytest.mark.parametrize("url", ["https://rebound.example.com:{port}/", "https://127.0.0.1:{port}/"])
async def test_no_address_is_connected_to_that_may_not_be_reached(
    url: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was checked before: a name resolves to this machine by the time it is posted to."""
    looked_up = []

    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        looked_up.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    sender = HttpsSender()
    answer = await sender.post(url.format(port=_port(receiver)), {}, b"{}")
    await sender.close()

    assert answer.error == "its name can't be resolved, or its address is not one that the registry may reach"
    assert not receiver.posted
    assert looked_up in ([], ["rebound.example.com"])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(status: int, receiver: Receiver, sender: HttpsSender) -> None:
    receiver.answer = lambda _: status
    receiver.headers = {"Location": receiver.url}

    answer = await sender.post(receiver.url, {}, b"{}")

    assert (answer.status_code, answer.delivered) == (status, False)
    assert len(receiver.posted) == 1


@pytest.mark.parametrize("wish", ["9" * 400, "-1", "soon", "١٢", "1e9"])
async def test_an_absurd_retry_after_is_ignored(wish: str, receiver: Receiver, sender: HttpsSender) -> None:
    receiver.answer, receiver.headers = lambda _: 503, {"Retry-After": wish}

    answer = await sender.post(receiver.url, {}, b"{}")

    assert (answer.status_code, answer.retry_after) == (503, None)


async def test_silent_name_servers_delay_only_lookups(sender: HttpsSender, monkeypatch: pytest.MonkeyPatch) -> None:
    """The threads of the process have other things to do than to wait for names."""
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: released.wait())
    slow = HttpsSender(deadline=0.2)
    try:
        answers = await asyncio.gather(*(slow.post("https://slow.example.com/", {}, b"{}") for _ in range(12)))
        assert {answer.error for answer in answers} == {"no answer within 0.2 s"}
        async with asyncio.timeout(PATIENCE):
            assert await asyncio.to_thread(lambda: "at once") == "at once"
    finally:
        released.set()
        await slow.close()


async def test_only_the_head_of_a_long_answer_is_read(receiver: Receiver, sender: HttpsSender) -> None:
    receiver.answer, receiver.body = lambda _: 200, b"x" * (64 << 20)

    assert (await sender.post(receiver.url, {}, b"{}")).delivered


async def test_a_silent_receiver_is_abandoned(receiver: Receiver) -> None:
    receiver.hold = asyncio.Event()
    sender = HttpsSender([_LOOPBACK], deadline=1.0)

    answer = await sender.post(receiver.url, {}, b"{}")
    receiver.hold.set()
    await sender.close()

    assert (answer.status_code, answer.error) == (0, "no answer within 1 s")


async def test_an_endless_head_is_abandoned(sender: HttpsSender) -> None:
    """Neither TLS nor HTTP: bytes for as long as anybody reads."""

    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10_000)
                await writer.drain()
        except OSError:
            writer.close()

    async with await asyncio.start_server(endless, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        answer = await sender.post(f"https://127.0.0.1:{port}/", {}, b"{}")

    assert answer.error == "no TLS connection could be made"


async def test_an_untrusted_certificate_gets_no_request(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    sender = HttpsSender([_LOOPBACK])
    answer = await sender.post(receiver.url, {}, b"{}")
    await sender.close()

    assert answer.error.startswith("its certificate is not trusted")
    assert not receiver.posted


async def test_an_unreachable_receiver_is_reported_in_words(sender: HttpsSender, unused_tcp_port: int) -> None:
    answer = await sender.post(f"https://127.0.0.1:{unused_tcp_port}/", {}, b"{}")

    assert answer.error == "no connection could be made"


async def test_proxies_of_the_environment_are_not_asked(
    receiver: Receiver, sender: HttpsSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert (await sender.post(receiver.url, {}, b"{}")).delivered

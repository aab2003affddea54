"""A receiver of webhooks: a real HTTPS server on loopback that keeps what it is sent, and answers as it is told."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from modelyard.webhooks import verify
from tests.support.children import PATIENCE

_DATA: Final = Path(__file__).parents[1] / "data"
CERTIFICATE: Final = _DATA / "first.crt"
_KEY: Final = _DATA / "first.key"


@dataclass(frozen=True)
class Posted:
    """One request as it came."""

    headers: Mapping[str, str]
    body: bytes

    def event(self, secret: str, *, now: float) -> dict[str, Any]:
        return verify(self.body, self.headers, secret, now=now)


@dataclass
class Receiver:
    """What came, and what the next is answered."""

    url: str = ""
    posted: list[Posted] = field(default_factory=list)
    answer: Callable[[Posted], int] = lambda _: 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    came: asyncio.Condition = field(default_factory=asyncio.Condition)
    hold: asyncio.Event | None = None
    """While it is not set, nothing is answered."""

    async def handle(self, request: web.Request) -> web.Response:
        posted = Posted(dict(request.headers), await request.read())
        async with self.came:
            self.posted.append(posted)
            self.came.notify_all()
        if self.hold is not None:
            await self.hold.wait()
        return web.Response(status=self.answer(posted), headers=self.headers, body=self.body)

    async def has(self, count: int) -> list[Posted]:
        """Waits until so many requests have come in all."""
        async with self.came, asyncio.timeout(PATIENCE):
            await self.came.wait_for(lambda: len(self.posted) >= count)
        return self.posted


@asynccontextmanager
async def receiving(certificate: Path = CERTIFICATE, key: Path = _KEY) -> AsyncIterator[Receiver]:
    """A receiver that runs in this loop."""
    receiver = Receiver()
    app = web.Application(client_max_size=16 << 20)
    app.router.add_post("/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port = runner.addresses[0][1]
    receiver.url = f"https://127.0.0.1:{port}/hooks"
    try:
        yield receiver
    finally:
        await runner.cleanup()

"""Ends streams when the server drains."""

import asyncio

from modelyard_server.calls.errors import Unavailable


def check_draining(draining: asyncio.Event) -> None:
    """Raises if the server drains. Received bytes are kept, and the client continues with another server."""
    if draining.is_set():
        raise Unavailable(
            "The server is shutting down. Continue with another server, or when it is back.",
            reason="DRAINING",
            retry_after=1.0,
        )

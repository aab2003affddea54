"""The end of streams that would outlast the server."""

import asyncio

from modelyard_server.calls.errors import Unavailable


def check_draining(draining: asyncio.Event) -> None:
    """Ends a stream of a server that drains; what has travelled stays, and the client goes on elsewhere."""
    if draining.is_set():
        raise Unavailable(
            "the server is shutting down; go on with another, or when it is back",
            reason="DRAINING",
            retry_after=1.0,
        )

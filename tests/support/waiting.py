"""Waiting for something to be so, with a deadline."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

_LOOK_AGAIN: Final = 0.01


async def until(condition: Callable[[], bool | Awaitable[bool]], seconds: float = 10) -> None:
    """Returns once ``condition`` holds; ``TimeoutError`` if it does not within ``seconds``."""
    async with asyncio.timeout(seconds):
        while True:
            held = condition()
            if held if isinstance(held, bool) else await held:
                return
            await asyncio.sleep(_LOOK_AGAIN)

"""Waiting for something to be so, with a deadline."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from tests.support.children import PATIENCE

_LOOK_AGAIN: Final = 0.01


async def until(condition: Callable[[], bool | Awaitable[bool]], seconds: float = PATIENCE) -> None:
    """Returns once ``condition`` holds; ``TimeoutError`` if it does not within ``seconds``.

    Give ``seconds`` only where the time is what is tested. A machine that is busy with other things may be slow.
    """
    async with asyncio.timeout(seconds):
        while True:
            held = condition()
            if held if isinstance(held, bool) else await held:
                return
            await asyncio.sleep(_LOOK_AGAIN)

"""Work of many milliseconds, such as the message of a version with ten thousand files, beside the event loop.

On the loop it would delay every other call. It runs in one thread: Python runs one thread at a time, and with one more
the loop gets its turn within milliseconds. With many it would wait for all of them.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

FEW: Final = 200
"""Entries that are handled at once: a change of threads takes as long."""
ENTRY_BYTES: Final = 64
"""Bytes for each entry of a long request or row, roughly."""
_THREAD: Final = ThreadPoolExecutor(1, thread_name_prefix="offload")


async def offload(entries: int, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of ``call``, which handles so many entries. Called directly if they are few."""
    if entries <= FEW:
        return call(*args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_THREAD, lambda: call(*args, **kwargs))

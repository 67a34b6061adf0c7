"""Aside: pure work over what a client has sent, in a thread where that is large, so that nobody else waits for it."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Bytes. Below, a thread costs more than the work.
_LARGE = 256 << 10


async def aside(size: int, work: Callable[[], T]) -> T:
    """What `work` comes to, over so many bytes; it raises what that raises."""
    return work() if size < _LARGE else await asyncio.to_thread(work)

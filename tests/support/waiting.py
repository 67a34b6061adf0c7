"""Waiting for what a test can only look at."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], bool], *, seconds: float = 10.0) -> None:
    """Return once `condition()`; raises TimeoutError where it doesn't come true."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 — there is nothing to be told by
            await asyncio.sleep(0.005)

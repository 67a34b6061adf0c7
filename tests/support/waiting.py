"""Waiting for what a test can only look at. The bounds end a test that has failed, and are no part of what it says."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg


async def until(condition: Callable[[], bool], *, seconds: float = 60.0) -> None:
    """Return once `condition()`; raises TimeoutError where it doesn't come true."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 — there is nothing to be told by
            await asyncio.sleep(0.005)


async def eventually(check: Callable[[], Awaitable[Any]], *, seconds: float = 60.0) -> Any:
    """The first truthy answer of `check`, asked again and again; raises TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while not (found := await check()):  # noqa: ASYNC110 — there is nothing to be told by
            await asyncio.sleep(0.02)
        return found


async def held_up(connection: asyncpg.Connection) -> int:
    """How many others wait for what the transaction of this connection has locked."""
    return await connection.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    )

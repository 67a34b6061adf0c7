"""Supervision: what runs is watched from its start on; what ended is said, with the end of its log.

Owner: deploy.local. A process that ends before it was ready, or a server that the others stand on, ends the launcher;
any other is started again, after a pause that doubles while it keeps ending.
"""

import asyncio
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import aiohttp

from deploy.local.children import Child, tail
from deploy.local.trouble import Trouble

READY_SECONDS = 90.0
_FIRST_PAUSE, _LONGEST_PAUSE, _STEADY_SECONDS = 1.0, 30.0, 60.0
_LOG_CHECK_SECONDS = 30.0


async def until_ready(child: Child) -> None:
    """Raises Trouble when the child ends before, or takes longer than READY_SECONDS."""
    ended = asyncio.ensure_future(child.ended())
    ready = asyncio.ensure_future(_answers(child.ready_url))
    try:
        await asyncio.wait({ended, ready}, timeout=READY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            raise Trouble(f"{child.name} ended with status {ended.result()} while it started. {_shown(child.log)}")
        if not ready.done():
            raise Trouble(f"{child.name} is not ready after {READY_SECONDS:.0f} s. {_shown(child.log)}")
    finally:
        ended.cancel()
        ready.cancel()


async def _answers(url: str) -> None:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        while True:
            try:
                async with session.get(url) as response:
                    if response.status == 200:
                        return
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.05)


async def keep_running(child: Child, say: Callable[[str], None]) -> None:
    """Until cancelled."""
    clock, pause = asyncio.get_running_loop().time, _FIRST_PAUSE
    while True:
        began = clock()
        status = await child.ended()
        pause = _FIRST_PAUSE if clock() - began > _STEADY_SECONDS else pause
        say(f"{child.name} ended with status {status}; it is started again in {pause:.0f} s. {_shown(child.log)}")
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
        await child.start()


async def until_ended(name: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Raises Trouble once the server has ended. A signal of ours ends it too, but then nobody waits here any more."""
    while process.poll() is None:  # noqa: ASYNC110 — a process that a foreign server's module started
        await asyncio.sleep(0.5)
    raise Trouble(f"{name} ended with status {process.returncode}, and nothing works without it. {_shown(log)}")


async def roll_logs(children: Sequence[Child]) -> None:
    while True:
        await asyncio.sleep(_LOG_CHECK_SECONDS)
        for child in children:
            child.roll()


def _shown(log: Path) -> str:
    return f"The end of {log}:\n{tail(log)}"

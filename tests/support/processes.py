"""Services as processes of their own, for what can't be done to one in the tests' process: killed, paused, woken."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from deploy.local.children import ROOT, tied
from tests.support.servers import Databases, free_port
from tests.support.services import defaults


class Running:
    """A service's process, ready."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    def _send(self, number: signal.Signals) -> None:
        os.kill(self._process.pid, number)

    async def kill(self) -> None:
        self._send(signal.SIGKILL)
        await self._process.wait()

    def pause(self) -> None:
        self._send(signal.SIGSTOP)

    def wake(self) -> None:
        self._send(signal.SIGCONT)


@asynccontextmanager
async def process(name: str, nats_url: str, databases: Databases, **settings: Any) -> AsyncGenerator[Running]:
    """`settings` go over the defaults."""
    port = free_port()
    given = defaults(name, nats_url, databases) | {"private_port": port} | settings
    env = {"PATH": os.environ["PATH"]} | {name.upper(): str(value) for name, value in given.items()}
    started = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"services.{name}"), cwd=ROOT, env=env, stderr=DEVNULL, preexec_fn=tied()
    )
    try:
        await _until_ready(started, f"http://127.0.0.1:{port}/readyz")
        yield Running(started)
    finally:
        if started.returncode is None:
            started.kill()
            await started.wait()


async def _until_ready(started: Process, url: str) -> None:
    async with asyncio.timeout(60), aiohttp.ClientSession() as session:
        while True:
            assert started.returncode is None, "the process ended before it was ready"
            try:
                async with session.get(url) as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.02)

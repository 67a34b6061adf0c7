"""`python -m deploy.local` as a person runs it: a process, what it printed, and the ready file it wrote."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from deploy.local import ports
from deploy.local.children import ROOT, end_with_parent

_READY_SECONDS = 120.0


@dataclass
class Local:
    process: subprocess.Popen[bytes]
    folder: Path
    printed: Path

    @property
    def told(self) -> dict[str, Any]:
        return json.loads((self.folder / "ready.json").read_text())

    @property
    def credentials(self) -> dict[str, Any]:
        return json.loads((self.folder / "data" / "credentials.json").read_text())

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)

    async def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.told['api_key']}"}
        timeout = aiohttp.ClientTimeout(total=90)
        async with (
            aiohttp.ClientSession(headers=headers, timeout=timeout) as session,
            session.request(method, self.told["gateway"] + path, json=body) as response,
        ):
            return response.status, await response.json()


@contextmanager
def local(folder: Path, *arguments: str) -> Iterator[Local]:
    """The engine over `folder`, ready; on a free port where none is given. What still runs at the end is stopped."""
    folder.mkdir(parents=True, exist_ok=True)
    printed = folder / "printed"
    port = () if "--port" in arguments else ("--port", str(ports.free(1)[0]))
    command = ["--data", str(folder / "data"), "--ready-file", str(folder / "ready.json"), *port, *arguments]
    with printed.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.local", *command],
            cwd=ROOT,
            stdout=output,
            stderr=output,
            preexec_fn=lambda: end_with_parent(signal.SIGTERM),
        )
    started = Local(process, folder, printed)
    try:
        _await_ready(started)
        yield started
    finally:
        if process.poll() is None:
            started.interrupt()


def _await_ready(started: Local) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not (started.folder / "ready.json").exists():
        assert started.process.poll() is None, started.printed.read_text()
        assert time.monotonic() < deadline, started.printed.read_text()
        time.sleep(0.1)

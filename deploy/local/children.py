"""Children: the engine's processes on one machine, each with a log file of its own.

Owner: deploy.local. A child never outlives its launcher, not even a killed one: the kernel ends it with its parent.
Children live in sessions of their own, so that Ctrl-C reaches the launcher alone, which stops them in order.
"""

import asyncio
import contextlib
import ctypes
import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 35.0
LOG_BYTES = 64 * 1024 * 1024

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def end_with_parent(signal_number: int) -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal_number)


def tied(signal_number: int = signal.SIGKILL) -> Callable[[], None]:
    """What a child does between fork and exec, after any change of user, which would undo it."""
    launcher = os.getpid()

    def tie() -> None:
        end_with_parent(signal_number)
        if os.getppid() != launcher:
            os._exit(1)

    return tie


class Child:
    """One process, which can be started again after it ended; `ready_url` answers 200 once it is ready.

    It must be started by the launcher's main thread: the kernel counts the thread that forked as the parent.
    """

    def __init__(self, name: str, argv: Sequence[str], *, env: Mapping[str, str], log: Path, ready_url: str) -> None:
        self.name, self.argv, self.env = name, list(argv), dict(env)
        self.log, self.ready_url = log, ready_url
        self.began = 0.0
        self._process: asyncio.subprocess.Process | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        self.began = time.monotonic()
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.argv,
                cwd=ROOT,
                env=self.env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=tied(),
            )

    async def ended(self) -> int:
        assert self._process is not None, f"{self.name} was never started"
        return await self._process.wait()

    async def stop(self, seconds: float = STOP_SECONDS) -> bool:
        """SIGTERM, and SIGKILL to what does not end in time. True where it ended by itself."""
        if not self.running or self._process is None:
            return True
        self._process.terminate()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), seconds)
            return True
        self.kill()
        await self._process.wait()
        return False

    def kill(self) -> None:
        if self.running and self._process is not None:
            self._process.kill()

    def begin_log(self) -> None:
        """Sets the log of an earlier launcher aside: what is shown of it is of this start."""
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))

    def roll(self) -> None:
        """Sets a grown log aside. The child writes in append mode and goes on in the emptied file."""
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            shutil.copyfile(self.log, self.log.with_suffix(".log.1"))
            os.truncate(self.log, 0)


def tail(log: Path, lines: int = 12) -> str:
    if not log.exists():
        return "    (no log)"
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 16_384))
        ends = file.read().decode(errors="replace").splitlines()[-lines:]
    return "\n".join(f"    {line}" for line in ends) or "    (its log is empty)"

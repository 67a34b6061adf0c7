"""Daemons: how a foreign server (NATS, PostgreSQL) is started, awaited and stopped as a child of this process."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1


class StartError(Exception):
    """A server did not come up; the message says what it wrote last."""


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    at_death: signal.Signals = signal.SIGTERM,
    become: Callable[[], None] | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command`, its output appended to `log`. It gets `at_death` when this process ends, `kill -9` included.

    Linux sends it when the thread that started it ends: start daemons from the main one. `become` changes the child's
    user.
    """
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 — the commands are our own
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_tied(at_death, become),
        )


def _tied(at_death: signal.Signals, become: Callable[[], None] | None) -> Callable[[], None]:
    parent, libc = os.getpid(), ctypes.CDLL(None)

    def prepare() -> None:
        if become is not None:
            become()  # first: a change of user unties
        libc.prctl(_PR_SET_PDEATHSIG, int(at_death), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return prepare


def wait_for(
    ready: Callable[[], bool], child: subprocess.Popen[bytes], *, what: str, log: Path, seconds: float
) -> None:
    """Return once `ready`. Raises StartError when the child ends first or takes longer."""
    deadline = time.monotonic() + seconds
    while not ready():
        if child.poll() is not None:
            raise StartError(f"{what} ended with code {child.returncode} while starting:\n{tail(log)}")
        if time.monotonic() > deadline:
            stop(child)
            raise StartError(f"{what} was not ready after {seconds:.0f} s:\n{tail(log)}")
        time.sleep(0.02)


def tail(log: Path, lines: int = 12) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def stop(child: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM, *, seconds: float = 20.0) -> int:
    """Ask the child to end and wait; kill it when it takes longer. Returns its exit code."""
    if child.poll() is None:
        child.send_signal(how)
    try:
        return child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()

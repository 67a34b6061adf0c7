"""`run` is the whole main of a service: settings, logs, the life between start and signal, the exit code; or a command.

0 after a stop that was asked for, 1 where it could not start, 2 for bad settings; 128 + n at a second signal.
"""

import gc
import logging
import os
import secrets
import sys
from asyncio import Event
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType

import uvloop

from libs.runtime import commands, logs
from libs.runtime.foundation import Build, S, Service, Serving
from libs.runtime.life import Life
from libs.runtime.settings import load
from libs.runtime.stop import Signals, watch

__all__ = ["Service", "Serving", "run", "started"]

log = logging.getLogger(__name__)

_LEFTOVERS_SECONDS = 2.0
# New objects between two collections: Python's 700 cost a busy service an eighth of its time.
_GC_THRESHOLDS = (100_000, 50, 1000)
# Host names are looked up in threads: with uvloop's four, a few names that nobody answers for would hold up all others.
_LOOKUPS = "64"
_NO_COMMANDS: Mapping[str, commands.Command] = MappingProxyType({})


def run(name: str, settings: type[S], build: Build[S], own: Mapping[str, commands.Command] = _NO_COMMANDS) -> None:
    """Be the service until a signal, or carry out the command on the command line; ends the process.

    `own`: the service's commands beside those that each one has.
    """
    if sys.argv[1:]:
        sys.exit(commands.carry_out(name, sys.argv[1:], own))
    loaded = load(settings)
    instance = new_instance(name)
    logs.configure(name, instance, loaded.log_level)
    os.environ.setdefault("UV_THREADPOOL_SIZE", _LOOKUPS)
    sys.exit(uvloop.run(_main(name, instance, loaded, build)))


@asynccontextmanager
async def started(
    name: str, settings: S, build: Build[S], *, stopping: Event, instance: str = ""
) -> AsyncGenerator[Service | None]:
    """The service, ready, and its stop in order at the end; None where `stopping` was set before it was ready."""
    life = Life(name, instance or new_instance(name), settings, build, stopping)
    try:
        yield await life.start()
    finally:
        await life.stop()


def new_instance(name: str) -> str:
    """`runner-1f2e3d4c`: what tells this process from others of its service."""
    return f"{name}-{secrets.token_hex(4)}"


async def _main(name: str, instance: str, settings: S, build: Build[S]) -> int:
    signals = Signals(settings.stop_seconds)
    try:
        async with started(name, settings, build, stopping=signals.stopping, instance=instance) as service:
            if service is not None:
                collect_rarely()
                log.info("Ready", extra={"private_port": service.private_port})
                await signals.stopping.wait()
                log.info("Stopping")
    except Exception:
        log.critical("The service can't go on", exc_info=True)
        return _end(1)
    log.info("Stopped")
    return _end(0)


def collect_rarely() -> None:
    """What the start made stays for ever, and requests leave few cycles behind: both need less looking for."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


def _end(code: int) -> int:
    """A thread or a task that was left behind does not keep the process."""
    watch(code, _LEFTOVERS_SECONDS)
    return code

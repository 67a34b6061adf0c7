"""The launcher: checks, starts the engine, sees to the demo, tells, waits, and stops it all in order.

Owner: deploy.local. It ends with 0 after Ctrl-C or SIGTERM, and with 1 and a clear line when it can't go on.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from deploy.local import credentials, demo, options, preflight, report
from deploy.local.children import end_with_parent
from deploy.local.engine import Engine
from deploy.local.options import Options
from deploy.local.trouble import Trouble


def launch() -> int:
    given = options.read()
    if os.environ.get("END_WITH_PARENT"):
        end_with_parent(signal.SIGTERM)
    try:
        with preflight.check(given):
            asyncio.run(_run(given))
    except Trouble as trouble:
        print(f"\n{trouble}", file=sys.stderr, flush=True)
        return 1
    return 0


async def _run(given: Options) -> None:
    _forget(given)
    secrets, known = credentials.read_secrets(given.data), credentials.read_credentials(given.data)
    engine = Engine(given, secrets, known, _say)
    stopping = _asked_to_stop(engine)
    try:
        if await _unless(stopping, _start(engine)):
            await _unless(stopping, engine.until_lost())
    finally:
        _say("\nStopping")
        await engine.stop()
        _forget(given)
        _say(f"Stopped. Everything is kept in {given.data}")


async def _start(engine: Engine) -> None:
    began = time.monotonic()
    given = engine.options
    _say(f"Polyvox starts. Its data and logs are in {given.data}")
    await engine.start_servers()
    await engine.start_services()
    known = await demo.ensure(engine.url, engine.known, _say)
    credentials.keep(given.data, known)
    told = report.ready(engine, known, await demo.default_model(engine.url, known))
    if given.ready_file:
        report.write(given.ready_file, told)
    _say(report.block(told, known.plain_action, given.data, seconds=time.monotonic() - began))


def _asked_to_stop(engine: Engine) -> asyncio.Event:
    """Set by Ctrl-C, SIGTERM or a closed terminal; asked a second time, the services are killed."""
    asked = asyncio.Event()

    def ask() -> None:
        if asked.is_set():
            engine.kill()
        asked.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, ask)
    return asked


async def _unless(stopping: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """True where the work came to its end; False where it was given up because we were asked to stop."""
    asked, working = asyncio.ensure_future(stopping.wait()), asyncio.ensure_future(work)
    await asyncio.wait({asked, working}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if working.done():
        await working
        return True
    working.cancel()
    await asyncio.wait({working})
    return False


def _forget(given: Options) -> None:
    """A ready file is there exactly while the engine is ready."""
    if given.ready_file:
        given.ready_file.unlink(missing_ok=True)


def _say(line: str) -> None:
    """Whether anybody still reads it or not: a closed terminal must not keep the engine from its orderly stop."""
    with suppress(OSError):
        print(line, flush=True)

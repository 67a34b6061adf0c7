"""Runs as every voice starts and follows them.

The rule: a request that names the last event it saw, in `Last-Event-ID` or `?after=`, starts nothing. It is answered
from that run, which its caller's workspace must have.
"""

import asyncio
from contextlib import aclosing

from aiohttp import web

from libs.bus.follow import Following
from libs.contracts import runs
from libs.contracts.faults import Code, Fault
from libs.runtime import logs
from services.gateway.engine import ENGINE, Engine
from services.gateway.http import effect, sse

_ACCEPT_SECONDS = 30.0


async def start(request: web.Request, wanted: runs.StartRun) -> runs.Run:
    """The run as its mode has it: finished, started or accepted. Raises the Fault that a blocking run ended with,
    NOT_FOUND for another workspace's that is to be resumed.
    """
    engine = request.app[ENGINE]
    if (place := sse.resumed(request)) is not None:
        return await _resumed(engine, wanted, place)
    wanted = effect.started(request, wanted)
    logs.run_id.set(str(wanted.run_id))
    if wanted.mode is not runs.Mode.BLOCKING:
        return await engine.bus.call(runs.START, wanted, timeout=_ACCEPT_SECONDS)
    run = await engine.runs.finish(wanted, timeout=engine.run_seconds)
    if run.failure is not None:
        effect.undone(request)
    _refuse_failed(run)
    return run


async def follow(request: web.Request, wanted: runs.StartRun) -> tuple[runs.Run, Following]:
    """For a voice that streams in the answer itself: the run and its frames, those not seen yet of one that is resumed.

    `aclose` the frames where they are left before their end. Raises Fault as `start` does.
    """
    engine = request.app[ENGINE]
    if (place := sse.resumed(request)) is not None:
        run = await _resumed(engine, wanted, place)
        return run, engine.feeds.follow(place.cursor(wanted.workspace_id))
    wanted = effect.started(request, wanted)
    logs.run_id.set(str(wanted.run_id))
    return await engine.feeds.start(wanted, timeout=_ACCEPT_SECONDS)


async def _resumed(engine: Engine, wanted: runs.StartRun, place: sse.Place) -> runs.Run:
    logs.run_id.set(str(place.run_id))
    asked = runs.GetRun(wanted.workspace_id, place.run_id)
    run = await engine.bus.call(runs.GET, asked)
    if wanted.mode is not runs.Mode.BLOCKING:
        return run
    if run.status not in runs.ENDED:
        await _until_ended(engine, place.cursor(wanted.workspace_id))
        run = await engine.bus.call(runs.GET, asked)
    _refuse_failed(run)
    return run


async def _until_ended(engine: Engine, cursor: runs.Cursor) -> None:
    try:
        async with asyncio.timeout(engine.run_seconds), aclosing(engine.runs.follow(cursor)) as frames:
            async for _ in frames:
                pass
    except TimeoutError:
        raise Fault(Code.TIMEOUT, "The run did not end in time.") from None


def _refuse_failed(run: runs.Run) -> None:
    if run.failure is not None:
        raise Fault.of(run.failure)
    if run.status is runs.Status.CANCELLED:
        raise Fault(Code.CONFLICT, "The generation was cancelled.")

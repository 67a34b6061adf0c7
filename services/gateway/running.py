"""Runs as every voice starts and follows them.

The rule: a request that names the last event it saw, in `Last-Event-ID` or `?after=`, starts nothing. It is answered
from that run, which its caller's workspace must have. Any other is a message, of which a plan allows so many a day.
"""

import asyncio
from contextlib import aclosing
from uuid import UUID

from aiohttp import web

from libs.bus.follow import Following
from libs.contracts import feed, runs
from libs.contracts.faults import Code, Fault
from libs.runtime import logs
from services.gateway.engine import ENGINE, Engine
from services.gateway.http import effect, limiting, places

_ACCEPT_SECONDS = 30.0


async def start(request: web.Request, wanted: runs.StartRun) -> runs.Run:
    """The run as its mode has it: finished, started or accepted. Raises the Fault that a blocking run ended with,
    NOT_FOUND for another workspace's that is to be resumed.
    """
    if (run := await resume(request, wanted.workspace_id, wanted.mode)) is not None:
        return run
    await limiting.admit_message(request, wanted.workspace_id)
    engine = request.app[ENGINE]
    wanted = effect.started(request, wanted)
    logs.run_id.set(str(wanted.run_id))
    if wanted.mode is not runs.Mode.BLOCKING:
        rpc = runs.ENQUEUE if wanted.mode is runs.Mode.ASYNC else runs.START
        return await engine.bus.call(rpc, wanted, timeout=_ACCEPT_SECONDS)
    run = await engine.runs.finish(wanted, timeout=engine.run_seconds)
    if run.failure is not None:
        effect.undone(request)
    _refuse_failed(run)
    return run


async def follow(request: web.Request, wanted: runs.StartRun, *, whole: bool = False) -> tuple[runs.Run, Following]:
    """For a voice that streams in the answer itself: the run and its frames, those not seen yet of one that is resumed.

    `whole`: all of them, for events that build on those before. `aclose` the frames where they are left before their
    end. Raises Fault as `start` does.
    """
    if (rejoined := await rejoin(request, wanted.workspace_id, whole=whole)) is not None:
        return rejoined
    await limiting.admit_message(request, wanted.workspace_id)
    wanted = effect.started(request, wanted)
    logs.run_id.set(str(wanted.run_id))
    return await request.app[ENGINE].feeds.start(wanted, timeout=_ACCEPT_SECONDS)


async def rejoin(request: web.Request, workspace_id: UUID, *, whole: bool = False) -> tuple[runs.Run, Following] | None:
    """The run that a request resumes, and the frames that it has not seen, or all; None where it resumes none.

    For a voice to which starting a run is more than asking for it.
    """
    run = await resume(request, workspace_id, runs.Mode.STREAMING)
    place = places.resumed(request)
    if run is None or place is None:
        return None
    cursor = (places.Place(run.id) if whole else place).cursor(workspace_id)
    return run, request.app[ENGINE].feeds.follow(cursor)


async def resume(request: web.Request, workspace_id: UUID, mode: runs.Mode) -> runs.Run | None:
    """The run that a request resumes, as its mode has it. Raises Fault as `start` does."""
    engine, place = request.app[ENGINE], places.resumed(request)
    if place is None:
        return None
    logs.run_id.set(str(place.run_id))
    asked = runs.GetRun(workspace_id, place.run_id)
    run = await engine.bus.call(runs.GET, asked)
    if mode is not runs.Mode.BLOCKING:
        return run
    if run.status not in runs.ENDED:
        await _until_ended(engine, place.cursor(workspace_id))
        run = await engine.bus.call(runs.GET, asked)
    _refuse_failed(run)
    return run


async def _until_ended(engine: Engine, cursor: feed.Cursor) -> None:
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

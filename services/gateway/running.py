"""Runs as every voice starts and follows them."""

from aiohttp import web

from libs.contracts import runs
from libs.contracts.faults import Code, Fault
from libs.runtime import logs
from services.gateway.engine import ENGINE
from services.gateway.http import effect

_ACCEPT_SECONDS = 30.0


async def start(request: web.Request, wanted: runs.StartRun) -> runs.Run:
    """The run as its mode has it: finished, started or accepted. Raises the Fault that a blocking run ended with."""
    engine, wanted = request.app[ENGINE], effect.started(request, wanted)
    logs.run_id.set(str(wanted.run_id))
    if wanted.mode is not runs.Mode.BLOCKING:
        return await engine.bus.call(runs.START, wanted, timeout=_ACCEPT_SECONDS)
    run = await engine.runs.finish(wanted, timeout=engine.run_seconds)
    if run.failure is not None:
        effect.undone(request)
    _refuse_failed(run)
    return run


def _refuse_failed(run: runs.Run) -> None:
    if run.failure is not None:
        raise Fault.of(run.failure)
    if run.status is runs.Status.CANCELLED:
        raise Fault(Code.CONFLICT, "The generation was cancelled.")

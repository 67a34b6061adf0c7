"""Running an app: the whole answer at once, or as lines of deltas."""

from contextlib import aclosing

from aiohttp import web

from libs.contracts import runs
from libs.contracts.faults import Fault
from services.gateway import running
from services.gateway.dialects.llmstack import translate, wire
from services.gateway.engine import ENGINE
from services.gateway.http import places, reply, sse
from services.gateway.http.body import read
from services.gateway.http.ndjson import LINES, Line
from services.gateway.http.requests import RUN_ID
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()


@routes.post("/api/apps/{guid}/run")
@routes.post("/api/apps/{guid}/run/{session}")
async def run_app(request: web.Request) -> web.StreamResponse:
    body = await read(request, wire.RunApp)
    session = request.match_info.get("session") or body.session_id
    wanted = translate.runs.start(request[CALLER], request.match_info["guid"], session, body)
    if wanted.mode is runs.Mode.STREAMING:
        return await _stream(request, wanted, session)
    run = await running.start(request, wanted)
    return reply.json(translate.runs.reply(run, session), headers={RUN_ID: str(run.id)})


async def _stream(request: web.Request, wanted: runs.StartRun, session: str | None) -> web.StreamResponse:
    run, frames = await running.follow(request, wanted)
    place, told = places.resumed(request), {RUN_ID: str(run.id)}
    goes_on = place is not None and place.n > 0
    streams, key_hash = request.app[ENGINE].streams, request[CALLER].key_hash
    async with aclosing(frames), streams.open(request, key_hash=key_hash, framing=LINES, headers=told) as stream:
        if not goes_on:
            await stream.write(Line(translate.runs.opening(run, session)))
        await _write(stream, frames, translate.lines.Deltas(resumed=goes_on))
    return stream.response


async def _write(stream: sse.Stream, frames: running.Following, deltas: translate.lines.Deltas) -> None:
    try:
        async for frame in frames:
            for line in deltas.of(frame):
                await stream.write(line)
    except Fault as fault:
        await stream.write(translate.lines.failure(fault.failure()))

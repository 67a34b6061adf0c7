"""Responses: at once, as a stream, or in the background; each may be gone on from."""

import asyncio
from contextlib import aclosing

from aiohttp import web
from msgspec import Struct

from libs.bus.follow import Following
from libs.contracts import runs, sessions
from services.gateway import running
from services.gateway.completions import logprobs
from services.gateway.dialects.openai import naming, translate, wire
from services.gateway.dialects.openai.translate.events import Telling
from services.gateway.engine import ENGINE, ask, perhaps
from services.gateway.http import params, places, reply
from services.gateway.http.aside import aside
from services.gateway.http.body import read, whole
from services.gateway.http.fields import called
from services.gateway.http.places import Place
from services.gateway.http.requests import RUN_ID
from services.gateway.http.telling import tell
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()

_PREVIOUS = "previous_response_id"
# Parameters stand in the body itself, some by other names.
_FIELDS = {
    "parameters.max_tokens": "max_output_tokens",
    "parameters.response_format": "text.format",
    "parameters.": "",
    "messages": "input",
}


@routes.post("/v1/responses")
async def create_response(request: web.Request) -> web.StreamResponse:
    start = await _start(request, await read(request, wire.responses.ResponseRequest))
    with called(**_FIELDS):
        if start.mode is not runs.Mode.STREAMING:
            return await _told(request, await running.start(request, start))
        run, frames = await running.follow(request, start, whole=True)
    return await _stream(request, frames, Telling(run, seen=places.resumed(request)))


async def _start(request: web.Request, body: wire.responses.ResponseRequest) -> runs.StartRun:
    target = await naming.target(request, body.model)
    previous = await _previous(request, body)
    before = previous.run if previous else None
    asked = await aside(len(await whole(request)), lambda: translate.responses.asked(body, before))
    return translate.starting.start(request[CALLER], target, asked, previous.session.id if previous else None)


class _Previous(Struct, frozen=True):
    """The response that is gone on from, and the session whose memory ends with it."""

    run: runs.Run
    session: sessions.Session


async def _previous(request: web.Request, body: wire.responses.ResponseRequest) -> _Previous | None:
    """None where none is named, or what is asked was started already."""
    if not body.previous_response_id or places.resumed(request) is not None:
        return None
    workspace_id = request[CALLER].workspace_id
    run_id = translate.responses.run_id(body.previous_response_id, field=_PREVIOUS)
    run, session = await asyncio.gather(
        perhaps(request, runs.GET, runs.GetRun(workspace_id, run_id)),
        perhaps(request, sessions.CONTINUE, sessions.ContinueFrom(workspace_id, run_id)),
    )
    if run is None or session is None:
        raise translate.responses.missing(body.previous_response_id, field=_PREVIOUS)
    translate.responses.refuse_unstored(run, field=_PREVIOUS)
    return _Previous(run, session)


@routes.get("/v1/responses/{id}")
async def get_response(request: web.Request) -> web.StreamResponse:
    """With `?stream=true` its events, those after `?starting_after=` where that is given."""
    run = await ask(request, runs.GET, _asked(request))
    translate.responses.refuse_unstored(run)
    if request.query.get("stream", "").lower() != "true":
        return await _told(request, run)
    seen, past = places.resumed(request, run.id), params.whole(request, "starting_after", -1)
    frames = request.app[ENGINE].feeds.follow(Place(run.id).cursor(run.workspace_id))
    return await _stream(request, frames, Telling(run, seen=seen, past=past))


@routes.delete("/v1/responses/{id}")
async def delete_response(request: web.Request) -> web.Response:
    run = await ask(request, runs.DELETE, _asked(request))
    return reply.json(wire.responses.Deleted(translate.responses.response_id(run.id)))


@routes.post("/v1/responses/{id}/cancel")
async def cancel_response(request: web.Request) -> web.Response:
    """Ends one that goes on, with what it has said. One that has ended stays as it is."""
    return await _told(request, await ask(request, runs.CANCEL, _asked(request)))


def _asked(request: web.Request) -> runs.GetRun:
    return runs.GetRun(request[CALLER].workspace_id, translate.responses.run_id(request.match_info["id"]))


async def _told(request: web.Request, run: runs.Run) -> web.Response:
    wanted = run.status in runs.ENDED and translate.responses.echoed(run).top_logprobs is not None
    scored = await logprobs.of(request, run) if wanted else []
    return reply.json(translate.replies.reply(run, scored), headers={RUN_ID: str(run.id)})


async def _stream(request: web.Request, frames: Following, telling: Telling) -> web.StreamResponse:
    opened = request.app[ENGINE].streams.open(
        request, key_hash=request[CALLER].key_hash, headers={RUN_ID: str(telling.run.id)}
    )
    async with aclosing(frames), opened as stream:
        await tell(stream, frames, telling)
    return stream.response

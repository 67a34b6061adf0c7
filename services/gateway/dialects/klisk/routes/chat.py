"""Chatting over HTTP: an answer at once, or as a stream in the answer itself.

What is wrong with a body is told by its status. Once a stream has begun, whatever goes wrong is an event of it.
"""

from contextlib import aclosing

from aiohttp import web
from msgspec import structs

from libs.bus.follow import Following
from libs.contracts import runs
from libs.contracts.faults import Fault, not_found
from services.gateway import running
from services.gateway.dialects.klisk import conversing, translate, wire
from services.gateway.dialects.klisk.translate.chat import Asked
from services.gateway.dialects.klisk.translate.events import Telling
from services.gateway.engine import ENGINE, ask
from services.gateway.http import limiting, places, reply, sse
from services.gateway.http.body import read
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()

_ABOUT = b"klisk state"
# A state is good for as long as its response is kept.
_STATE_SECONDS = 100 * 365 * 24 * 3600


@routes.post("/api/chat")
async def chat(request: web.Request) -> web.StreamResponse:
    body = await read(request, wire.ChatRequest)
    streams = body.stream is not False
    if places.resumed(request) is not None:
        return await (_stream(request, None) if streams else _rejoin(request, body))
    asked = translate.chat.asked(body)
    _refuse_unsigned(request, body.state)
    return await (_stream(request, asked) if streams else _answer(request, asked, body.state))


@routes.post("/api/chat/{id}/cancel")
async def cancel(request: web.Request) -> web.Response:
    """Ends a response that goes on, with what it has said."""
    run_id = translate.chat.response(request.match_info["id"])
    if run_id is None:
        raise not_found("response", "")
    run = await ask(request, runs.CANCEL, runs.GetRun(request[CALLER].workspace_id, run_id))
    return reply.json(translate.chat.cancelled(run))


async def _answer(request: web.Request, asked: Asked, state: wire.State | None) -> web.Response:
    ready = await conversing.ready(request, asked, runs.Mode.BLOCKING)
    run = await running.start(request, ready.start)
    before = state if state and asked.goes_on else None
    return reply.json(
        translate.chat.reply(run, _signed(request, translate.states.of(run, ready.agent, asked.message, before)))
    )


async def _rejoin(request: web.Request, body: wire.ChatRequest) -> web.Response:
    run = await running.resume(request, request[CALLER].workspace_id, runs.Mode.BLOCKING)
    assert run is not None
    state = translate.states.of(run, body.agent_name or "", body.message or "")
    return reply.json(translate.chat.reply(run, _signed(request, state)))


async def _stream(request: web.Request, asked: Asked | None) -> web.StreamResponse:
    """Of the run to start, or of the one that the request resumes."""
    if asked is not None:
        await limiting.expect_message(request, request[CALLER].workspace_id)
    async with request.app[ENGINE].streams.open(request, key_hash=request[CALLER].key_hash) as stream:
        try:
            run, frames = await (_resumed(request) if asked is None else _started(request, asked))
            await _tell(request, stream, run, frames)
        except Fault as fault:
            await stream.write(translate.events.line(translate.events.failed(fault)))
            await stream.write(translate.events.end())
    return stream.response


async def _started(request: web.Request, asked: Asked) -> tuple[runs.Run, Following]:
    ready = await conversing.ready(request, asked, runs.Mode.STREAMING)
    return await running.follow(request, ready.start)


async def _resumed(request: web.Request) -> tuple[runs.Run, Following]:
    rejoined = await running.rejoin(request, request[CALLER].workspace_id)
    assert rejoined is not None
    return rejoined


async def _tell(request: web.Request, stream: sse.Stream, run: runs.Run, frames: Following) -> None:
    telling, ended = Telling(run.id), False
    async with aclosing(frames):
        async for frame in frames:
            if frame.ends and places.resumed(request) is not None:
                # What was said before is not among these frames.
                asked = runs.GetRun(run.workspace_id, run.id)
                telling.text = (await ask(request, runs.GET, asked)).output
            for event in telling.lines(frame):
                await stream.write(event)
            ended = frame.ends
    if not ended:
        await stream.write(translate.events.end())


def _refuse_unsigned(request: web.Request, state: wire.State | None) -> None:
    """Raises Fault INVALID."""
    if state is None or not translate.states.needs_signature(state):
        return
    try:
        signed = request.app[ENGINE].sealer.read_token(state.signature or "", about=_ABOUT)
    except Fault:
        raise translate.states.unsigned() from None
    if signed != translate.states.digest(request[CALLER].workspace_id, state):
        raise translate.states.unsigned()


def _signed(request: web.Request, state: wire.State) -> wire.State:
    digest = translate.states.digest(request[CALLER].workspace_id, state)
    signature = request.app[ENGINE].sealer.token(digest, about=_ABOUT, seconds=_STATE_SECONDS)
    return structs.replace(state, signature=signature)

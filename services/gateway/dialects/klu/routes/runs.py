"""Running an action, and reading the run: at once, as a stream, or later."""

import asyncio
from contextlib import aclosing
from functools import partial
from uuid import UUID

from aiohttp import web
from msgspec import structs

from libs.contracts import contexts, feed, runs, sessions
from libs.contracts.faults import Code, Fault
from services.gateway import running
from services.gateway.dialects.klu import translate, wire
from services.gateway.dialects.klu.auth import PREFIX
from services.gateway.engine import ENGINE, ask
from services.gateway.http import links, params, places, reply, sse
from services.gateway.http.body import read
from services.gateway.http.fields import called
from services.gateway.http.pacing import GAP_SECONDS, Paced
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()
open_routes = web.RouteTableDef()

_ABOUT = b"klu stream"
_STREAM_SECONDS = 30 * 24 * 3600
_WIDE_GAP = 0.025


@routes.post("/v1/actions")
async def run_action(request: web.Request) -> web.Response:
    return await _run(request, await read(request, wire.runs.RunAction))


@routes.post("/v1/actions/{guid}/prompt")
async def prompt_action(request: web.Request) -> web.Response:
    body = await read(request, wire.runs.RunAction)
    return await _run(request, structs.replace(body, action=request.match_info["guid"]))


@routes.post("/v1/experiments/{guid}/prompt")
async def prompt_experiment(request: web.Request) -> web.Response:
    body = await read(request, wire.runs.RunAction)
    return await _run(request, structs.replace(body, experiment=request.match_info["guid"]))


@routes.post(r"/v1/actions//{unnamed:\$[^/]+}/prompt")
async def prompt_of_session(request: web.Request) -> web.Response:
    """What an SDK asks that leaves its `${action_guid}` unfilled (klu 0.1.80): the session tells the action."""
    body = await read(request, wire.runs.RunAction)
    if (named := translate.runs.session_of_unnamed(request[CALLER], body)) is not None:
        session = await ask(request, sessions.GET, named)
        body = structs.replace(body, action=translate.runs.action_of(session))
    return await _run(request, body)


@routes.post("/v1/actions/playground")
async def playground(request: web.Request) -> web.Response:
    body = await read(request, wire.actions.Playground)
    asked, wanted = translate.drafts.playground(request[CALLER], body)
    await asyncio.gather(*(ask(request, contexts.GET, context) for context in asked))
    with called(**translate.actions.FIELDS):
        run = await running.start(request, wanted)
    return reply.json(translate.runs.reply(run, _links(request, run, streaming=True), streaming=True))


@routes.post("/v1/context/prompt")
@routes.post("/v1/contexts/prompt")
async def prompt_context(request: web.Request) -> web.Response:
    body = await read(request, wire.contexts.PromptContext)
    context, wanted = translate.drafts.of_context(request[CALLER], body)
    await ask(request, contexts.GET, context)
    run = await running.start(request, wanted)
    return reply.json(translate.drafts.context_reply(run, _links(request, run, streaming=False)))


async def _run(request: web.Request, body: wire.runs.RunAction) -> web.Response:
    streaming = translate.values.flag(body.streaming, "streaming")
    run = await running.start(request, translate.runs.start(request[CALLER], body))
    answer = translate.runs.reply(run, _links(request, run, streaming=streaming), streaming)
    return reply.json(translate.runs.page_reply(answer) if request.path.endswith("/actions") else answer)


def _links(request: web.Request, run: runs.Run, *, streaming: bool) -> translate.runs.Links:
    """Where a run is resumed, its stream's address is that of the rest."""
    start = f"{links.base(request, PREFIX)}/v1"
    data, stream = f"{start}/data/{run.id}", ""
    if streaming:
        place = places.resumed(request)
        stream = f"{start}/stream/{_token(request, run)}" + (f"?after={place.number}" if place else "")
    return translate.runs.Links(feedback=data, result=f"{data}/result", stream=stream)


def _token(request: web.Request, run: runs.Run) -> str:
    """The right to read this run, for as long as the key is valid with which it was started."""
    right = run.workspace_id.bytes + run.id.bytes + request[CALLER].key_hash.encode()
    return request.app[ENGINE].sealer.token(right, about=_ABOUT, seconds=_STREAM_SECONDS)


@routes.get("/v1/data/{guid}/result")
async def result(request: web.Request) -> web.Response:
    asked = runs.GetRun(request[CALLER].workspace_id, params.in_path(request, "data point"))
    return reply.json(translate.runs.result(await ask(request, runs.GET, asked)))


@open_routes.get("/v1/stream/{token}", allow_head=False)
async def stream(request: web.Request) -> web.StreamResponse:
    """An address that is no right to a run gets a stream too: at any other answer the SDKs raise."""
    cursor, key_hash = await _right(request)
    async with request.app[ENGINE].streams.open(request, key_hash=key_hash) as stream:
        if cursor is not None:
            await _follow(request, stream, cursor)
        else:
            await stream.write(translate.events.NOTHING)
    return stream.response


async def _right(request: web.Request) -> tuple[feed.Cursor | None, str]:
    """What the address gives a right to, and the hash of the key that it hangs on."""
    engine = request.app[ENGINE]
    try:
        right = engine.sealer.read_token(request.match_info["token"], about=_ABOUT)
    except Fault:
        return None, ""
    workspace_id, run_id, key_hash = UUID(bytes=right[:16]), UUID(bytes=right[16:32]), right[32:].decode()
    if not await engine.callers.still_valid(key_hash):
        return None, ""
    place = places.resumed(request, run_id) or places.Place(run_id)
    return place.cursor(workspace_id), key_hash


async def _follow(request: web.Request, stream: sse.Stream, cursor: feed.Cursor) -> None:
    if not cursor.after:
        await stream.write(translate.events.BEGIN)
    frames = request.app[ENGINE].feeds.follow(cursor)
    try:
        async with aclosing(frames), _paced(request, stream, cursor.run_id) as paced:
            ended = False
            async for frame in frames:
                await paced.send(frame)
                ended = frame.ends
        if not ended:
            await stream.write(translate.events.NOTHING)
    except Fault as fault:
        await _tell(stream, fault)


def _paced(request: web.Request, stream: sse.Stream, run_id: UUID) -> Paced:
    """The JavaScript SDK loses the second of two events in one read: the busier its machine, the wider the gap."""
    agent = request.headers.get("User-Agent")
    over_event_source = agent is None and request.headers.get("Cache-Control") == "no-cache"
    in_browser = agent is not None and agent.startswith("Mozilla")
    gap = _WIDE_GAP if over_event_source or in_browser else GAP_SECONDS
    return Paced(stream, partial(translate.events.of, run_id), gap=gap)


async def _tell(stream: sse.Stream, fault: Fault) -> None:
    if fault.code is Code.NOT_FOUND:
        await stream.write(translate.events.NOTHING)
    else:
        for event in translate.events.failure(fault.failure()):
            await stream.write(event)

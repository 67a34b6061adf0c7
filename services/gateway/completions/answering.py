"""Answering a chat completion with a run: blocking, or in a stream of the answer's own."""

from contextlib import aclosing

from aiohttp import web

from libs.contracts import runs
from services.gateway import running
from services.gateway.completions import logprobs, told, wire
from services.gateway.completions.told import Telling
from services.gateway.engine import ENGINE
from services.gateway.http import places, reply
from services.gateway.http.fields import called
from services.gateway.http.requests import RUN_ID
from services.gateway.http.telling import tell
from services.gateway.http.voices import CALLER


async def answer(request: web.Request, start: runs.StartRun, body: wire.ChatRequest) -> web.StreamResponse:
    """Raises Fault before the answer has begun; what happens later is told within it."""
    fields = _fields(body)
    if start.mode is not runs.Mode.STREAMING:
        with called(**fields):
            run = await running.start(request, start)
        scored = await logprobs.of(request, run) if body.logprobs else []
        return reply.json(told.completion(run, body.model, scored), headers={RUN_ID: str(run.id)})
    with called(**fields):
        run, frames = await running.follow(request, start, whole=True)
    usage = bool(body.stream_options and body.stream_options.include_usage)
    telling = Telling(run, body.model, usage=usage, seen=places.resumed(request))
    opened = request.app[ENGINE].streams.open(request, key_hash=request[CALLER].key_hash, headers={RUN_ID: str(run.id)})
    async with aclosing(frames), opened as stream:
        await stream.write(telling.begin())
        await tell(stream, frames, telling)
    return stream.response


def _fields(body: wire.ChatRequest) -> dict[str, str]:
    """Parameters as the body calls them: they stand in it itself, and one has two names."""
    newer = {} if body.max_completion_tokens is None else {"parameters.max_tokens": "max_completion_tokens"}
    return newer | {"parameters.": ""}

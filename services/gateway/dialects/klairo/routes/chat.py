"""Chat: Aria is the workspace's default app, and a conversation any session of it, whichever voice began it."""

import asyncio
from contextlib import aclosing
from uuid import UUID

from aiohttp import web

from libs.contracts import apps, runs, sessions
from libs.contracts.faults import not_found
from services.gateway import running
from services.gateway.contacts import book
from services.gateway.dialects.klairo import translate, wire
from services.gateway.dialects.klairo.translate.chat import Asked, Known
from services.gateway.dialects.klairo.translate.events import Telling
from services.gateway.directory.clocks import clock
from services.gateway.engine import ENGINE, ask, perhaps
from services.gateway.http import places, reply
from services.gateway.http.body import read
from services.gateway.http.requests import RUN_ID
from services.gateway.http.telling import tell
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()


@routes.post("/api/chat")
@routes.post("/v1/chat")
async def chat(request: web.Request) -> web.StreamResponse:
    asked = translate.chat.asked(await read(request, wire.chat.ChatRequest))
    if asked.mode is runs.Mode.STREAMING:
        return await _stream(request, asked)
    run = await running.resume(request, request[CALLER].workspace_id, asked.mode)
    if run is None:
        run = await running.start(request, await _start(request, asked))
    return reply.json(translate.chat.reply(run), headers={RUN_ID: str(run.id)})


async def _start(request: web.Request, asked: Asked) -> runs.StartRun:
    """Raises Fault NOT_FOUND for a conversation or a contact that is not there, and where there is no app yet."""
    caller, database = request[CALLER], request.app[ENGINE].database
    async with database.acquire() as connection:
        now = await clock(connection, caller.workspace_id)
        contact = asked.contact_id and await book.get(
            connection, caller.workspace_id, asked.contact_id, field=translate.chat.CONTACT_FIELD
        )
    aria, _ = await asyncio.gather(
        ask(request, apps.FIND, apps.FindApp(caller.workspace_id)), _must_be_there(request, asked.conversation_id)
    )
    return translate.chat.start(caller, asked, aria.id, Known(now, contact or None))


async def _must_be_there(request: web.Request, conversation_id: UUID | None) -> None:
    if conversation_id is None:
        return
    asked = sessions.GetSession(request[CALLER].workspace_id, conversation_id)
    if await perhaps(request, sessions.GET, asked) is None:
        raise not_found("conversation", translate.chat.conversation(conversation_id), field="conversation_id")


async def _stream(request: web.Request, asked: Asked) -> web.StreamResponse:
    """What goes wrong before the first event is told by the status."""
    rejoined = await running.rejoin(request, request[CALLER].workspace_id, whole=True)
    run, frames = rejoined or await running.follow(request, await _start(request, asked), whole=True)
    telling = Telling(run, seen=places.resumed(request))
    opened = request.app[ENGINE].streams.open(request, key_hash=request[CALLER].key_hash, headers={RUN_ID: str(run.id)})
    async with aclosing(frames), opened as stream:
        await tell(stream, frames, telling)
    return stream.response

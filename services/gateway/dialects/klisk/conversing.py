"""From what was asked to a run that may start: its agent, and the session of the response that it goes on from."""

from uuid import UUID

from aiohttp import web
from msgspec import Struct

from libs.contracts import actions, runs, sessions
from libs.contracts.faults import not_found
from libs.contracts.paging import Slice
from services.gateway import attachments
from services.gateway.dialects.klisk import translate
from services.gateway.dialects.klisk.translate.chat import Asked, Place
from services.gateway.engine import ask, perhaps
from services.gateway.http.aside import aside
from services.gateway.http.voices import CALLER

_MOST_NAMED = 20


class Ready(Struct, frozen=True):
    """A run to start, and the name of the agent that it is asked of."""

    start: runs.StartRun
    agent: str


async def ready(request: web.Request, asked: Asked, mode: runs.Mode) -> Ready:
    """Raises Fault INVALID for an unknown agent, NOT_FOUND for an unknown response, CONFLICT for one that goes on, and
    as `attachments.taken` does.
    """
    agent = await _agent(request, asked.agent)
    size = sum(len(each.data) for each in asked.attachments)
    files = await aside(size, lambda: translate.chat.files(asked.attachments))
    taken = await attachments.taken(request, files)
    session_id = None if asked.previous is None else await _session(request, asked.previous)
    start = translate.chat.start(request[CALLER], asked, Place(agent.id, session_id), taken, mode=mode)
    return Ready(start, agent.name)


async def _agent(request: web.Request, name: str) -> actions.Action:
    workspace_id = request[CALLER].workspace_id
    found = await perhaps(request, actions.FIND, actions.FindAction(workspace_id, name))
    if found is not None:
        return found
    there = await ask(request, actions.PAGE, actions.PageActions(workspace_id, slice=Slice(limit=_MOST_NAMED)))
    raise translate.chat.no_agent(name, there.items)


async def _session(request: web.Request, previous: UUID) -> UUID:
    asked = sessions.ContinueFrom(request[CALLER].workspace_id, previous)
    session = await perhaps(request, sessions.CONTINUE, asked)
    if session is None:
        raise not_found("response", translate.chat.response_id(previous))
    return session.id

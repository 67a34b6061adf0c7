"""Sessions, and the data points of their turns."""

from aiohttp import web

from libs.contracts import runs, sessions
from services.gateway.dialects.klu import translate, wire
from services.gateway.dialects.klu.routes import lists, points
from services.gateway.dialects.klu.routes.nouns import Noun
from services.gateway.engine import ask
from services.gateway.http import paging, params
from services.gateway.http.body import read_optional
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()

_noun = Noun(routes, "/v1/sessions", "session", sessions.GetSession, translate.sessions.reply)
_noun.gets(sessions.GET)
_noun.deletes(sessions.DELETE)


@routes.post("/v1/sessions")
async def create_session(request: web.Request) -> web.Response:
    wanted = translate.sessions.create(request[CALLER], await read_optional(request, wire.sessions.CreateSession))
    return await _noun.told(request, sessions.CREATE, wanted)


@routes.get("/v1/sessions")
async def list_sessions(request: web.Request) -> web.Response:
    slice = paging.slice_of(request)
    wanted = sessions.PageSessions(
        request[CALLER].workspace_id,
        action_id=translate.values.reference(request.query.get("action"), "action"),
        end_user=params.line(request, "extUserId"),
        slice=slice,
    )
    return lists.envelope(await ask(request, sessions.PAGE, wanted), slice, translate.sessions.reply)


@routes.get("/v1/sessions/{guid}/data")
async def list_data_of_session(request: web.Request) -> web.Response:
    asked, slice = _noun.of(request), paging.slice_of(request)
    await ask(request, sessions.GET, asked)
    wanted = runs.PageRuns(asked.workspace_id, session_id=asked.session_id, slice=slice)
    return lists.envelope(await points.listed(request, wanted), slice, lambda point: point)

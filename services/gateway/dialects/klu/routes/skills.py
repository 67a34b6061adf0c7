"""Skills, and those of an action."""

from aiohttp import web

from libs.contracts import actions, tools
from libs.contracts.paging import Slice
from services.gateway.dialects.klu import translate, wire
from services.gateway.dialects.klu.routes.nouns import Noun
from services.gateway.engine import ask
from services.gateway.http import paging, params, reply
from services.gateway.http.body import read
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()

# An OpenAPI document or an MCP server is asked meanwhile.
_SECONDS = 30.0
_noun = Noun(routes, "/v1/skills", "skill", tools.GetTool, translate.skills.reply)
_noun.creates(tools.CREATE, wire.skills.CreateSkill, translate.skills.create, timeout=_SECONDS)
_noun.pages(tools.PAGE)
_noun.gets(tools.GET)
_noun.deletes(tools.DELETE)


@routes.post("/v1/skills/discover")
async def discover(request: web.Request) -> web.Response:
    wanted = translate.skills.discover(request[CALLER], await read(request, wire.skills.Discover))
    found = await ask(request, tools.DISCOVER, wanted, timeout=_SECONDS)
    return reply.json([translate.skills.offered(offer) for offer in found])


@routes.put("/v1/skills/{guid}")
async def update_skill(request: web.Request) -> web.Response:
    asked, body = _noun.of(request), await read(request, wire.skills.UpdateSkill)
    wanted = translate.skills.update(await ask(request, tools.GET, asked), asked, body)
    return await _noun.told(request, tools.UPDATE, wanted, timeout=_SECONDS)


@routes.get("/v1/actions/{guid}/skills")
async def get_skills(request: web.Request) -> web.Response:
    asked = _action(request)
    await ask(request, actions.GET, asked)
    wanted = tools.PageTools(asked.workspace_id, asked.action_id, Slice(limit=paging.MOST))
    page = await ask(request, tools.PAGE, wanted)
    return reply.json([translate.skills.reply(tool) for tool in page.items])


@routes.put("/v1/actions/{guid}/skills")
async def set_skills(request: web.Request) -> web.Response:
    body = await read(request, wire.skills.SetSkills)
    await ask(request, actions.UPDATE, translate.skills.set_skills(request[CALLER], _action(request), body))
    return reply.json(True)


def _action(request: web.Request) -> actions.GetAction:
    return actions.GetAction(request[CALLER].workspace_id, params.in_path(request, "action"))

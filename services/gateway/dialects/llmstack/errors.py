"""Why a request was not answered, in LLMStack's two shapes at once: `detail`, and the list `errors` of its runs."""

from aiohttp import web
from msgspec import structs

from services.gateway.dialects.llmstack import wire
from services.gateway.effects.keeper import HEADER
from services.gateway.http import reply
from services.gateway.http.problems import Problem

# Without a right it is 403, and a provider that fails is as bad a request as an input that does not fit.
_STATUS = {401: 403, 422: 400, 502: 400, 504: 400}


def render(problem: Problem) -> web.Response:
    status = problem.status if problem.field == HEADER else _STATUS.get(problem.status, problem.status)
    headers = structs.replace(problem, status=status).headers()
    return reply.json(body(problem), status=status, headers=headers)


def body(problem: Problem) -> wire.Error:
    return wire.Error(detail=problem.message, errors=[problem.message])

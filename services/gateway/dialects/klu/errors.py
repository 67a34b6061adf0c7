"""Why a request was not answered, in Klu's body."""

from aiohttp import web

from services.gateway.dialects.klu.wire.pages import Error
from services.gateway.http import reply
from services.gateway.http.problems import Problem


def render(problem: Problem) -> web.Response:
    return reply.json(body(problem), status=problem.status, headers=problem.headers())


def body(problem: Problem) -> Error:
    return Error(error=problem.code, message=problem.message, detail=problem.message)

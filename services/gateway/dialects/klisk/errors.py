"""Why a request was not answered, in Klisk's one field."""

from aiohttp import web

from services.gateway.dialects.klisk.wire import ErrorReply
from services.gateway.http import reply
from services.gateway.http.problems import Problem

# Klisk knows a bad request, and a server that is away.
_STATUS = {422: 400, 504: 503}


def render(problem: Problem) -> web.Response:
    status = _STATUS.get(problem.status, problem.status)
    return reply.json(ErrorReply(problem.message), status=status, headers=problem.headers())

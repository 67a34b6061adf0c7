"""Why a request was not answered, in Klisk's one field."""

from aiohttp import web

from services.gateway.dialects.klisk.wire import ErrorReply
from services.gateway.effects.keeper import HEADER
from services.gateway.http import reply
from services.gateway.http.problems import Problem

# Klisk knows a bad request, and a server that is away. Of keys for idempotency it knows nothing.
_STATUS = {422: 400, 504: 503}


def render(problem: Problem) -> web.Response:
    status = problem.status if problem.field == HEADER else _STATUS.get(problem.status, problem.status)
    return reply.json(ErrorReply(problem.message), status=status, headers=problem.headers())

"""Why a request was not answered, in KlairoAI's envelope and its nine codes."""

import math
import re
from uuid import UUID

from aiohttp import web

from libs.contracts import ids
from libs.contracts.faults import Code
from services.gateway.dialects.klairo.wire.analytics import RANGE
from services.gateway.dialects.klairo.wire.errors import Error, ErrorReply
from services.gateway.effects.keeper import HEADER
from services.gateway.http import reply
from services.gateway.http.problems import Problem

_CODES = {
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    409: "CONFLICT",
    422: "UNPROCESSABLE",
    429: "RATE_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    503: "SERVICE_UNAVAILABLE",
}
_AWAY = (502, 503, 504)
_MISSING = re.compile(r"(?<=There is no )(automation|run|webhook|key) ([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})\b")
_PREFIXES = {"automation": "auto", "run": "run", "webhook": "wh", "key": "key"}


def render(problem: Problem) -> web.Response:
    error = told(problem)
    return reply.json(ErrorReply(error), status=error.status, headers=problem.headers())


def told(problem: Problem) -> Error:
    status = _status(problem)
    wait = None if problem.retry_after is None else math.ceil(problem.retry_after)
    return Error(_CODES.get(status, "BAD_REQUEST"), _MISSING.sub(_spelled, problem.message), status, wait)


def _spelled(missing: re.Match[str]) -> str:
    """An id that another service did not find, as this voice has it."""
    return f"{missing[1]} {ids.crockford(_PREFIXES[missing[1]], UUID(missing[2]))}"


def _status(problem: Problem) -> int:
    """A parameter that is wrong is a bad request here; a key for idempotency is not, nor a range of days. What we stand
    on being away is one case.
    """
    if problem.code == Code.INVALID and problem.field not in (HEADER, RANGE):
        return 400
    return 503 if problem.status in _AWAY else problem.status

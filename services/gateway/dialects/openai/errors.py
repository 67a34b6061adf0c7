"""Why a request was not answered, in OpenAI's body."""

from aiohttp import web
from msgspec import structs

from services.gateway.completions import failing
from services.gateway.http import reply
from services.gateway.http.problems import Problem

# What does not fit is a bad request, and so is a body of another kind.
_STATUS = {415: 400, 422: 400}


def render(problem: Problem) -> web.Response:
    status = _STATUS.get(problem.status, problem.status)
    if failing.code(problem) == "previous_response_not_found":
        status = 400
    headers = structs.replace(problem, status=status).headers()
    if status == 409 and problem.retry_after is None:
        # The clients would ask again by themselves, and a conflict that does not pass stays one.
        headers["x-should-retry"] = "false"
    return reply.json(failing.body(structs.replace(problem, status=status)), status=status, headers=headers)

"""Why a request was not answered, in OpenAI's body."""

from aiohttp import web
from msgspec import structs

from services.gateway.completions import failing
from services.gateway.http import reply
from services.gateway.http.problems import Problem

# What does not fit is a bad request, and so is a body of another kind.
_STATUS = {415: 400, 422: 400}


# Clients ask again by themselves, at once where they are told to wait for longer than this.
_PATIENCE_SECONDS = 60


def render(problem: Problem) -> web.Response:
    status = _STATUS.get(problem.status, problem.status)
    if failing.code(problem) == "previous_response_not_found":
        status = 400
    headers = structs.replace(problem, status=status).headers()
    if _stays(status, problem.retry_after):
        headers["x-should-retry"] = "false"
    return reply.json(failing.body(structs.replace(problem, status=status)), status=status, headers=headers)


def _stays(status: int, retry_after: float | None) -> bool:
    """A conflict that does not pass, and a quota that is used up for longer than a client would wait."""
    if status == 409:
        return retry_after is None
    return status == 429 and retry_after is not None and retry_after > _PATIENCE_SECONDS

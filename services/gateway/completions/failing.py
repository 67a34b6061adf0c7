"""Why something failed, in OpenAI's body: as an answer of its own, and within a stream. Pure."""

from libs.contracts.faults import Code
from services.gateway.completions import wire
from services.gateway.http.problems import Problem

# OpenAI's own words where it has some.
_CODES = {Code.UNAUTHORIZED: "invalid_api_key", Code.RATE_LIMITED: "rate_limit_exceeded"}
_MISSING = {"model": "model_not_found", "previous_response_id": "previous_response_not_found"}


def body(problem: Problem) -> wire.Failure:
    return wire.Failure(wire.Error(problem.message, _type(problem.status), problem.field, code(problem)))


def code(problem: Problem) -> str:
    if problem.code == Code.NOT_FOUND and problem.field in _MISSING:
        return _MISSING[problem.field]
    return _CODES.get(problem.code, problem.code.lower())  # type: ignore[call-overload]


def _type(status: int) -> str:
    if status == 429:
        return "rate_limit_error"
    return "invalid_request_error" if status < 500 else "server_error"

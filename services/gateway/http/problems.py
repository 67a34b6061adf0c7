"""Problems: why a request was not answered, in HTTP's terms, for a voice to put in its own words."""

import logging
import math

from aiohttp import ClientConnectionResetError, web
from msgspec import Struct

from libs.contracts.faults import HTTP_STATUS, OURS, Code, Fault
from services.gateway.http import reply

log = logging.getLogger(__name__)

_CODES = {
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "TOO_LARGE",
    426: "UPGRADE_REQUIRED",
}
_SENTENCES = {
    404: "There is nothing at this address.",
    405: "This address does not answer that method.",
    413: "The body is too large.",
    426: "Ask over HTTPS: this installation answers nothing else.",
}


class Problem(Struct, frozen=True):
    """`message` names the field where there is one; `retry_after` is in seconds."""

    status: int
    code: str
    message: str
    field: str | None = None
    retry_after: float | None = None
    allow: str | None = None
    upgrade: str | None = None

    @property
    def passes(self) -> bool:
        """Asked again, it may go better: no final answer."""
        return self.status >= 500 or self.status == 429

    def headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        if self.retry_after is not None:
            headers["Retry-After"] = str(max(1, math.ceil(self.retry_after)))
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if self.allow is not None:
            headers["Allow"] = self.allow
        if self.upgrade is not None:
            headers["Upgrade"] = self.upgrade
        return headers


def of(error: Exception) -> Problem:
    """What is neither a Fault nor HTTP's own is a failure of ours: logged here, and told without detail."""
    match error:
        case Fault():
            return _of_fault(error)
        case web.HTTPException() if error.status < 500:
            return _of_http(error)
        case ClientConnectionResetError():
            # Nobody hears of it: the reader left while it was written to.
            return Problem(503, Code.UNAVAILABLE, "The connection was closed.")
        case _:
            log.error("A request failed", exc_info=error)
            return Problem(500, Code.INTERNAL, OURS)


def _of_fault(fault: Fault) -> Problem:
    return Problem(HTTP_STATUS[fault.code], fault.code, fault.sentence, fault.field, fault.retry_after)


def _of_http(error: web.HTTPException) -> Problem:
    message = _SENTENCES.get(error.status, error.reason)
    code, told = _CODES.get(error.status, "BAD_REQUEST"), error.headers
    return Problem(error.status, code, message, allow=told.get("Allow"), upgrade=told.get("Upgrade"))


def plainly(problem: Problem) -> web.Response:
    """For what is at no voice's address."""
    error = {"code": problem.code, "message": problem.message}
    return reply.json({"error": error}, status=problem.status, headers=problem.headers())

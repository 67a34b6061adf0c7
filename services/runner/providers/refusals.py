"""What a provider answers instead of an answer, as a Fault that says who refused what.

The provider's own message is passed on, cut to a readable length; `upstream` takes the key out of it.
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from libs.contracts.faults import Code, Fault
from services.runner.providers.call import Interrupted

_LONGEST = 500
_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})
_CODES = {
    400: Code.INVALID,
    408: Code.TIMEOUT,
    413: Code.INVALID,
    422: Code.INVALID,
    429: Code.RATE_LIMITED,
    503: Code.UNAVAILABLE,
    504: Code.TIMEOUT,
    529: Code.UNAVAILABLE,
}
# The types of an error that arrives in a stream which began with 200.
_STATUS_OF_TYPE = {
    "invalid_request_error": 400,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "overloaded_error": 529,
    "api_error": 500,
    "server_error": 500,
    "timeout_error": 504,
}


def refused(provider: str, status: int, body: bytes, retry_after: str | None) -> Interrupted:
    """An answer with an error status."""
    said = message(body)
    wait = seconds(retry_after)
    fault = Fault(
        _CODES.get(status, Code.UPSTREAM), f"{provider} answered {status}{said and ': ' + said}", retry_after=wait
    )
    return Interrupted(fault, again=status in _AGAIN, wait=wait)


def midway(provider: str, error: Any) -> Interrupted:
    """An error in the midst of a stream."""
    said = _text_of(error)
    kind = error.get("type") or error.get("code") if isinstance(error, dict) else None
    status = kind if isinstance(kind, int) else _STATUS_OF_TYPE.get(str(kind), 500)
    fault = Fault(_CODES.get(status, Code.UPSTREAM), f"{provider} broke its answer off{said and ': ' + said}")
    return Interrupted(fault, again=status in _AGAIN)


def cut_off(provider: str) -> Interrupted:
    fault = Fault(Code.UPSTREAM, f"{provider} closed the connection in the midst of its answer.")
    return Interrupted(fault, again=True)


def no_answer(provider: str) -> Interrupted:
    return Interrupted(Fault(Code.UPSTREAM, f"{provider} sent something else than a completion."), again=False)


def message(body: bytes) -> str:
    """The message in the body of an error answer, in any of the shapes in use; the body itself where it is text."""
    try:
        return _text_of(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        shown = body.decode(errors="replace").strip()
        return "" if shown.startswith("<") else _cut(shown)


def _text_of(error: Any) -> str:
    while isinstance(error, dict):
        error = next((error[key] for key in ("error", "message", "detail", "msg") if error.get(key)), None)
    if isinstance(error, list) and error:
        return _text_of(error[0])
    return _cut(error) if isinstance(error, str) else ""


def _cut(said: str) -> str:
    return said if len(said) <= _LONGEST else said[:_LONGEST] + "…"


def seconds(retry_after: str | None) -> float | None:
    """The header's value (RFC 9110, 10.2.3) in seconds from now: a number, or a date."""
    if not retry_after:
        return None
    try:
        return min(max(0.0, float(retry_after)), 86_400.0)
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())

"""Faults: what a caller can act on, in the engine's own terms. Each voice renders them in its own shape.

Anything that is not a Fault is a failure of ours: the bus logs it once and its caller sees `Fault(INTERNAL)` alone.
"""

import re
from enum import StrEnum

from msgspec import Struct


class Code(StrEnum):
    MALFORMED = "MALFORMED"
    UNAUTHORIZED = "UNAUTHORIZED"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    CONFLICT = "CONFLICT"
    TOO_LARGE = "TOO_LARGE"
    UNSUPPORTED = "UNSUPPORTED"
    INVALID = "INVALID"
    RATE_LIMITED = "RATE_LIMITED"
    INTERNAL = "INTERNAL"
    UPSTREAM = "UPSTREAM"
    UNAVAILABLE = "UNAVAILABLE"
    TIMEOUT = "TIMEOUT"


HTTP_STATUS = {
    Code.MALFORMED: 400,
    Code.UNAUTHORIZED: 401,
    Code.FORBIDDEN: 403,
    Code.NOT_FOUND: 404,
    Code.CONFLICT: 409,
    Code.TOO_LARGE: 413,
    Code.UNSUPPORTED: 415,
    Code.INVALID: 422,
    Code.RATE_LIMITED: 429,
    Code.INTERNAL: 500,
    Code.UPSTREAM: 502,
    Code.UNAVAILABLE: 503,
    Code.TIMEOUT: 504,
}


# What any field may have to be; there are fields of these names, too.
_A_KIND = re.compile(r"\b[Aa]n? (text|number|list|object)\b")
# All that anybody is told of what is wrong with the engine itself.
OURS = "Something went wrong on our side."


class Failure(Struct, frozen=True):
    """A Fault as it travels and is stored. A `code` this version does not know reads as INTERNAL."""

    code: str
    message: str
    field: str | None = None
    retry_after: float | None = None


class Fault(Exception):
    """Something the caller can act on: `message` says what is wrong and the remedy, `field` names the bad input.

    `retry_after` is in seconds.
    """

    def __init__(self, code: Code, message: str, *, field: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.field, self.retry_after = code, message, field, retry_after

    @classmethod
    def of(cls, failure: Failure) -> "Fault":
        known = failure.code in Code.__members__
        code = Code(failure.code) if known else Code.INTERNAL
        return cls(code, failure.message, field=failure.field, retry_after=failure.retry_after)

    @property
    def sentence(self) -> str:
        """The message, with the field before it where it does not name it itself: for whoever reads that alone."""
        if self.field is None or re.search(rf"(?<!\w){re.escape(self.field)}(?!\w)", _A_KIND.sub("", self.message)):
            return self.message
        return f"{self.field}: {self.message}"

    def failure(self) -> Failure:
        return Failure(self.code, self.message, self.field, self.retry_after)


def not_found(noun: str, id: object, *, field: str | None = None) -> Fault:
    return Fault(Code.NOT_FOUND, f"There is no {noun} {id} in this workspace.", field=field)

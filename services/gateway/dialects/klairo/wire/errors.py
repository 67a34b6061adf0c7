"""The envelope of every error."""

from msgspec import Struct


class Error(Struct, frozen=True, omit_defaults=True):
    code: str
    message: str
    status: int
    retry_after: int | None = None


class ErrorReply(Struct, frozen=True):
    error: Error

"""Decoding of what providers send, also where it is not well formed but can still be understood."""

import json
from typing import TypeVar

import msgspec

from libs.contracts.faults import Code, Fault
from libs.postgres import text
from services.runner.providers.call import Interrupted

T = TypeVar("T")


_NUL = rb"\u0000"


def decoded(decoder: msgspec.json.Decoder[T], payload: bytes, provider: str) -> T:
    """What models do write and nobody can store (NUL, half a surrogate pair, broken UTF-8) becomes U+FFFD.

    Raises Interrupted for what is no message of the protocol.
    """
    if _NUL in payload:
        return _leniently(decoder, payload, provider)
    try:
        return decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _leniently(decoder, payload, provider)


def _leniently(decoder: msgspec.json.Decoder[T], payload: bytes, provider: str) -> T:
    try:
        cleaned = text.clean(json.loads(payload.decode(errors="replace")))
        return msgspec.convert(cleaned, decoder.type)
    except (ValueError, RecursionError, msgspec.ValidationError):
        shown = payload[:80].decode(errors="replace")
        message = f"{provider} sent what is no answer of its protocol: {shown}"
        raise Interrupted(Fault(Code.UPSTREAM, message), again=True) from None

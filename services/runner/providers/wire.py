"""Decoding of what providers send, where it is not well formed but can still be understood."""

import json
from typing import TypeVar

import msgspec

from libs.contracts.faults import Code, Fault
from libs.postgres import text
from services.runner.providers.call import Interrupted

T = TypeVar("T")


# What a decoder raises for a payload that is to be read leniently.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError)


def leniently(decoder: msgspec.json.Decoder[T], payload: bytes, provider: str) -> T:
    """Half a surrogate pair and broken UTF-8, which models do write, become U+FFFD.

    Raises Interrupted for what is no message of the protocol.
    """
    try:
        cleaned = text.clean(json.loads(payload.decode(errors="replace")))
        return msgspec.convert(cleaned, decoder.type)
    except (ValueError, RecursionError, msgspec.ValidationError):
        shown = payload[:80].decode(errors="replace")
        message = f"{provider} sent what is no answer of its protocol: {shown}"
        raise Interrupted(Fault(Code.UPSTREAM, message), again=True) from None

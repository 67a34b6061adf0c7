"""Questions and answers between a service and its child. A frame is preceded by its length; imports nothing heavy."""

import struct

import msgspec
from msgspec import Struct

LENGTH = struct.Struct(">I")
_encoder = msgspec.msgpack.Encoder(uuid_format="bytes")


class Frame(Struct, frozen=True, array_like=True):
    """A question and its answer carry the same `id`; an answer with an `error` has no body."""

    id: int
    body: msgspec.Raw = msgspec.Raw(b"\xc0")
    error: str | None = None


unpack = msgspec.msgpack.Decoder(Frame).decode


def pack(frame: Frame) -> bytes:
    body = _encoder.encode(frame)
    return LENGTH.pack(len(body)) + body


def question(id: int, body: object) -> bytes:
    return pack(Frame(id, msgspec.Raw(_encoder.encode(body))))


answer = question


def failure(id: int, error: str) -> bytes:
    return pack(Frame(id, error=error))

"""Questions and answers between a service and its child. A frame is preceded by its length; imports nothing heavy."""

import struct
from collections.abc import Iterator

import msgspec
from msgspec import Struct

LENGTH = struct.Struct(">I")
# The id of what has no answer.
STATEMENT = 0
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


def taken(unread: bytearray) -> Iterator[Frame]:
    """The whole frames at its beginning, which they leave."""
    while len(unread) >= LENGTH.size:
        end = LENGTH.size + LENGTH.unpack_from(unread)[0]
        if len(unread) < end:
            return
        # A copy: an answer is kept as it came, in bytes that must not change under it.
        frame = bytes(unread[LENGTH.size : end])
        del unread[:end]
        yield unpack(frame)


def question(id: int, body: object) -> bytes:
    return pack(Frame(id, msgspec.Raw(_encoder.encode(body))))


def statement(body: object) -> bytes:
    return question(STATEMENT, body)


answer = question


def failure(id: int, error: str) -> bytes:
    return pack(Frame(id, error=error))

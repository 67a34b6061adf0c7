"""Newline-delimited JSON: a stream of which every line is an object, for the voices that put their deltas so.

A line carries no id. What is stitched together of the lines is the answer, so the heartbeat is the object that adds
nothing to it.
"""

from typing import Any

import msgspec
from msgspec import Struct

from services.gateway.http.sse import Framing

LINES = Framing("application/json; charset=utf-8", b"{}\n")

_encoder = msgspec.json.Encoder()


class Line(Struct, frozen=True):
    value: Any

    def encoded(self) -> bytes:
        return _encoder.encode(self.value) + b"\n"

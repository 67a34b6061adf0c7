"""Replies: a Struct as a JSON response."""

from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

_encoder = msgspec.json.Encoder()


def json(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        body=_encoder.encode(value), status=status, headers=headers, content_type="application/json", charset="utf-8"
    )


def nothing() -> web.Response:
    return web.Response(status=204)

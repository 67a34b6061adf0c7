"""Replies: a Struct as a JSON response."""

from typing import Any

import msgspec
from aiohttp import web

SERVER = "Polyvox"
_HEADERS = {"Content-Type": "application/json; charset=utf-8", "Server": SERVER}

_encoder = msgspec.json.Encoder()


def json(value: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=_encoder.encode(value), status=status, headers=_HEADERS | (headers or {}))


def nothing() -> web.Response:
    return web.Response(status=204)

"""What a guarded request brings back: never more bytes than its caller allowed."""

from collections.abc import AsyncIterator

import aiohttp
from msgspec import Struct

from libs.contracts.faults import Code, Fault
from libs.egress.refusals import faults

_CHUNK = 64 * 1024


class Response(Struct, frozen=True):
    """A whole answer; header names are in lower case. `cut` where the body was longer than its caller wanted."""

    status: int
    headers: dict[str, str]
    body: bytes
    latency_ms: float
    cut: bool = False


class Download:
    """An answer whose body is still to come. Iterating raises Fault TOO_LARGE as soon as it exceeds `max_bytes`."""

    def __init__(self, response: aiohttp.ClientResponse, max_bytes: int) -> None:
        self.status, self.host = response.status, response.host
        self.headers = named(response)
        self._response, self._max = response, max_bytes

    async def chunks(self) -> AsyncIterator[bytes]:
        left = self._max
        while chunk := await self._next():
            left -= len(chunk)
            if left < 0:
                raise Fault(Code.TOO_LARGE, f"{self.host} sent more than the {self._max:,} bytes allowed.")
            yield chunk

    async def _next(self) -> bytes:
        with faults(self):
            return await self._response.content.readany()


async def beginning(response: aiohttp.ClientResponse, max_bytes: int) -> tuple[bytes, bool]:
    """The first `max_bytes` of a body, and whether there was more."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) > max_bytes:
            return bytes(body[:max_bytes]), True
    return bytes(body), False


def named(response: aiohttp.ClientResponse) -> dict[str, str]:
    """Headers by name in lower case; one that comes several times has its values joined (RFC 9110, section 5.3)."""
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers

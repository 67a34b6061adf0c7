"""The guarded client as a transport of httpx2, for packages that speak HTTP through it: every request is checked, each
connection goes through the guard at the socket, and a body has an end.

Imported by who uses such a package, which is a heavy one.
"""

from collections.abc import AsyncIterator

import aiohttp
import httpx2

from libs.contracts.faults import Fault
from libs.egress.client import AGENT, Egress
from libs.egress.refusals import faults

# What goes with the connection, and is its own to say.
_HOP = frozenset({"connection", "host", "transfer-encoding", "accept-encoding"})
_PACKED = frozenset({"content-encoding", "content-length", "transfer-encoding"})


class GuardedTransport(httpx2.AsyncBaseTransport):
    """One session of its own, closed with it. `most` is the bytes that it reads in all.

    What is refused or fails stays here in `failure` as the Fault it is: packages raise what they like instead.
    """

    def __init__(self, egress: Egress, *, most: int) -> None:
        self._egress, self._left = egress, most
        self._session = aiohttp.ClientSession(
            connector=egress.connector(),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10.0),
            headers={"User-Agent": AGENT},
            trust_env=False,
        )
        self.failure: Fault | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        try:
            return await self._sent(request)
        except Fault as fault:
            self.failure = self.failure or fault
            raise httpx2.ConnectError(fault.message, request=request) from fault

    async def aclose(self) -> None:
        await self._session.close()

    async def _sent(self, request: httpx2.Request) -> httpx2.Response:
        url, body = str(request.url), await request.aread()
        self._egress.check(url)
        headers = {name: value for name, value in request.headers.items() if name not in _HOP}
        with faults(_Host(request.url.host)):
            answer = await self._session.request(
                request.method, url, headers=headers, data=body or None, allow_redirects=False
            )
        told = [(name, value) for name, value in answer.headers.items() if name.lower() not in _PACKED]
        return httpx2.Response(answer.status, headers=told, stream=_Body(self, answer), request=request)

    def read(self, length: int) -> None:
        """Raises httpx2.ReadError where it is too much."""
        self._left -= length
        if self._left < 0:
            raise httpx2.ReadError("the server sends too much")


class _Host:
    def __init__(self, host: str) -> None:
        self.host = host


class _Body(httpx2.AsyncByteStream):
    def __init__(self, transport: GuardedTransport, answer: aiohttp.ClientResponse) -> None:
        self._transport, self._answer = transport, answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._answer.content.iter_any():
                self._transport.read(len(chunk))
                yield chunk
        except aiohttp.ClientError as error:
            raise httpx2.ReadError("the connection broke") from error

    async def aclose(self) -> None:
        self._answer.close()

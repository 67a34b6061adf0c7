"""One attempt at a call: connect, wait for the first byte, read to the end, and close what is not read to its end."""

import time
from collections.abc import Awaitable, Callable

import aiohttp
from aiohttp.payload import BytesPayload
from msgspec import Struct

from libs.contracts.faults import Code, Fault
from libs.egress import EgressRefused, Refused
from services.runner.providers import refusals
from services.runner.providers.call import Endpoint, Interrupted, Piece, Reader, Request
from services.runner.providers.sse import EventStream

_LONGEST_ERROR = 64 * 1024
_LONGEST_BODY = 32 * 1024 * 1024

Hear = Callable[[list[Piece]], Awaitable[None]]


class Patience(Struct, frozen=True):
    """In seconds. `longest_wait`: what a provider can ask for at most before another attempt."""

    connect: float = 10.0
    first_byte: float = 60.0
    idle: float = 60.0
    total: float = 600.0
    retries: int = 2
    backoff: float = 0.5
    longest_wait: float = 20.0


class Attempt:
    def __init__(self, session: aiohttp.ClientSession, endpoint: Endpoint, patience: Patience, deadline: float) -> None:
        self._session, self._endpoint, self._patience, self._deadline = session, endpoint, patience, deadline
        self._response: aiohttp.ClientResponse | None = None
        self._began = False

    async def read(self, request: Request, reader: Reader, hear: Hear) -> None:
        """Tells `hear` the pieces of each network read. Raises Interrupted, or what `hear` raises."""
        try:
            response, chunk = await self._first(request)
            events = EventStream()
            while chunk:
                if pieces := reader.read(events.feed(chunk)):
                    await hear(pieces)
                chunk = await response.content.readany()
            await hear(reader.read(events.close()) + reader.finish())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._interrupted(error) from None
        finally:
            self._leave()

    async def _first(self, request: Request) -> tuple[aiohttp.ClientResponse, bytes]:
        response = self._response = await self._post(request)
        if response.status != 200:
            raise await self._refused(response)
        if "json" in response.headers.get("Content-Type", ""):
            return response, await self._plain(response)
        chunk = await response.content.readany()
        self._began = True
        self._wait_no_longer_than(self._patience.idle, response)
        return response, chunk

    def _wait_no_longer_than(self, seconds: float, response: aiohttp.ClientResponse) -> None:
        """For each further read; a response that is all here has no connection any more."""
        protocol = None if response.connection is None else response.connection.protocol
        if protocol is not None and protocol.read_timeout != seconds:
            protocol.read_timeout = seconds
            protocol.start_timeout()

    async def _post(self, request: Request) -> aiohttp.ClientResponse:
        left = max(0.001, self._deadline - time.monotonic())
        patience = self._patience
        return await self._session.post(
            request.url,
            # As a payload: aiohttp need not find out how bytes are sent.
            data=BytesPayload(request.body, content_type="application/json"),
            headers=request.headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=left, sock_connect=patience.connect, sock_read=patience.first_byte),
        )

    async def _refused(self, response: aiohttp.ClientResponse) -> Interrupted:
        body = await response.content.read(_LONGEST_ERROR)
        return refusals.refused(self._endpoint.speaker, response.status, body, response.headers.get("Retry-After"))

    async def _plain(self, response: aiohttp.ClientResponse) -> bytes:
        """The answer of a server that doesn't stream, as the one event it amounts to."""
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > _LONGEST_BODY:
                raise Interrupted(self._fault(Code.UPSTREAM, "sent an answer that is too long"), again=False)
        return b"data: " + bytes(body).replace(b"\n", b" ").replace(b"\r", b" ") + b"\n\ndata: [DONE]\n\n"

    def _interrupted(self, error: Exception) -> Interrupted:
        match error:
            case aiohttp.ConnectionTimeoutError():
                fault = self._fault(Code.UNAVAILABLE, "could not be reached in time")
            case TimeoutError():
                fault = self._fault(Code.TIMEOUT, "went silent" if self._began else "took too long to answer")
            case aiohttp.ClientConnectorError(os_error=Refused()):
                return Interrupted(EgressRefused(f"{self._endpoint.speaker} has no public address."), again=False)
            case aiohttp.ClientConnectorError():
                fault = self._fault(Code.UNAVAILABLE, "could not be reached")
            case aiohttp.InvalidURL():
                return Interrupted(self._fault(Code.INVALID, "has an address that can't be used"), again=False)
            case _:
                return refusals.cut_off(self._endpoint.speaker)
        return Interrupted(fault, again=True)

    def _fault(self, code: Code, what: str) -> Fault:
        return Fault(code, f"{self._endpoint.speaker} {what}.")

    def _leave(self) -> None:
        if self._response is not None:
            self._response.release() if self._response.content.at_eof() else self._response.close()

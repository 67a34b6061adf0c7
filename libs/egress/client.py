"""The one HTTP client for URLs that users name: webhooks, documents by link, tools, their own model providers.

Only public addresses and those of the operator's allow-list are connected to, checked at the socket. A deadline covers
everything from the name to the last byte; bodies are capped; no redirect is followed unless asked, and then each hop is
checked anew. One session a process, made on first use and closed at the stop.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache

import aiohttp
from yarl import URL

from libs.egress.guard import Allowed, Guarded
from libs.egress.ranges import parse_networks
from libs.egress.refusals import faults, late
from libs.egress.replies import Download, Response, beginning, named
from libs.egress.sent import REDIRECTS, Sent, joined
from libs.egress.urls import checked

HTTPS = ("https",)
AGENT = "Polyvox"

_KNOWN_URLS = 1000
_MEBIBYTE = 1 << 20


class Egress:
    """Raises EgressRefused for what may not be requested, Fault UPSTREAM or TIMEOUT for what did not work."""

    def __init__(self, allow_cidrs: str) -> None:
        self._allowed = Allowed(parse_networks(allow_cidrs))
        # The same few are asked for over and over, and what can be told of a URL by itself does not change.
        self._checked = lru_cache(_KNOWN_URLS)(self._check)
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    def check(self, url: str, *, schemes: tuple[str, ...] = HTTPS) -> None:
        """Raises EgressRefused (INVALID, field "url") where it can be told without looking the host up."""
        self._check(url, schemes)

    def connector(self, *, guarded: bool = True) -> aiohttp.TCPConnector:
        """A pool of connections for a session of one's own: https to public addresses and those of the allow-list,
        plain http to the latter alone. Unguarded only for what the operator configured.
        """
        if not guarded:
            return aiohttp.TCPConnector(limit=0)
        return Guarded(tls=self._allowed.anywhere, plain=self._allowed.inside, limit=0)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        deadline: float = 15.0,
        max_bytes: int = _MEBIBYTE,
        schemes: tuple[str, ...] = HTTPS,
        redirects: int = 0,
    ) -> Response:
        """The answer, whatever its status, with the first `max_bytes` of its body, within `deadline` seconds."""
        began = time.perf_counter()
        sent = Sent(method, self._checked(url, schemes), dict(headers or {}), body)
        async with self._answered(sent, deadline, schemes, redirects) as answer:
            with faults(sent):
                content, cut = await beginning(answer, max_bytes)
            latency = (time.perf_counter() - began) * 1000
            return Response(answer.status, named(answer), content, round(latency, 2), cut)

    @asynccontextmanager
    async def stream(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        deadline: float = 60.0,
        max_bytes: int = 100 * _MEBIBYTE,
        schemes: tuple[str, ...] = HTTPS,
        redirects: int = 0,
    ) -> AsyncGenerator[Download]:
        """GET something large: its body comes in chunks, all of them within `deadline` seconds."""
        sent = Sent("GET", self._checked(url, schemes), dict(headers or {}), b"")
        async with self._answered(sent, deadline, schemes, redirects) as answer:
            yield Download(answer, max_bytes)

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    def _check(self, url: str, schemes: tuple[str, ...]) -> URL:
        return checked(url, schemes, self._allowed)

    @asynccontextmanager
    async def _answered(
        self, sent: Sent, deadline: float, schemes: tuple[str, ...], redirects: int
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """The answer of the last hop. What is inside has only what the deadline leaves."""
        limit = asyncio.timeout(deadline)
        try:
            async with limit:
                with faults(sent):
                    answer = await self._follow(sent, schemes, redirects)
                try:
                    yield answer
                finally:
                    # Back to the pool if all was read, else cut off: nobody waits for the rest.
                    answer.close()
        except TimeoutError:
            if limit.expired():
                raise late(sent.host, deadline) from None
            raise

    async def _follow(self, sent: Sent, schemes: tuple[str, ...], redirects: int) -> aiohttp.ClientResponse:
        while True:
            answer = await self._session(sent.url.scheme in schemes).request(
                sent.method, sent.url, headers=sent.headers, data=sent.body or None, allow_redirects=False
            )
            location = answer.headers.get("Location")
            if redirects <= 0 or answer.status not in REDIRECTS or not location:
                return answer
            answer.close()
            sent.follow(answer.status, self._check(joined(sent.url, location), schemes))
            redirects -= 1

    def _session(self, anywhere: bool) -> aiohttp.ClientSession:
        """A scheme that the caller did not ask for goes to addresses of the allow-list only."""
        session = self._sessions.get(anywhere)
        if session is None or session.closed:
            allows = self._allowed.anywhere if anywhere else self._allowed.inside
            session = self._sessions[anywhere] = aiohttp.ClientSession(
                # Each caller bounds its own: with one bound for all they would wait for those that hang.
                connector=Guarded(tls=allows, plain=allows, limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                headers={"User-Agent": AGENT},
                trust_env=False,
            )
        return session

"""The public door: the addresses on which this process takes requests, shared with the other gateways of the machine.

A handler is cancelled when its client leaves. At the stop no new request is taken, open streams are broken off, and
what is being answered is given a while to be finished.
"""

import errno
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiohttp import web

from services.gateway.engine import ENGINE, Engine
from services.gateway.http import cors, health, limiting, reply, unreadable
from services.gateway.http.access import AccessLog
from services.gateway.http.body import MOST_BYTES
from services.gateway.http.guard import guard
from services.gateway.http.voices import Voice, mount

log = logging.getLogger(__name__)

Address = tuple[str, int]

_KEEPALIVE_SECONDS = 75.0


def app_of(engine: Engine, voices: Sequence[Voice], access: AccessLog) -> web.Application:
    """Raises ValueError where two voices claim one route."""
    app = web.Application(middlewares=[guard(voices, access)], client_max_size=MOST_BYTES)
    app[ENGINE] = engine
    app.on_shutdown.append(_end_streams)
    app.router.add_get("/", _introduce)
    app.router.add_get("/health", health.answer)
    mount(app.router, voices)
    cors.allow(app, voices)
    app.on_response_prepare.append(limiting.mark)
    app.on_response_prepare.append(_sign)
    return app


async def _sign(_: web.Request, response: web.StreamResponse) -> None:
    """Else aiohttp names itself, and the Python that it runs on."""
    response.headers["Server"] = reply.SERVER


async def _end_streams(app: web.Application) -> None:
    app[ENGINE].streams.end()


async def _introduce(request: web.Request) -> web.Response:
    """Whoever opens the address in a browser."""
    return reply.json(
        {
            "name": "Polyvox",
            "about": "An LLM-app engine that speaks the APIs of Klu, Klisk, LLMStack, KlairoAI and OpenAI.",
        }
    )


@asynccontextmanager
async def listening(
    app: web.Application, addresses: Sequence[Address], *, finish_seconds: float
) -> AsyncIterator[None]:
    """At its end what is being answered has `finish_seconds`.

    Raises OSError where none of the addresses can be listened on, or one is taken.
    """
    runner = unreadable.Runner(
        app,
        access_log=None,
        logger=unreadable.http_log(),
        handle_signals=False,
        handler_cancellation=True,
        shutdown_timeout=finish_seconds,
        keepalive_timeout=_KEEPALIVE_SECONDS,
    )
    await runner.setup()
    try:
        await _listen(runner, addresses)
        log.info("Listening", extra={"addresses": [f"{host}:{port}" for host, port, *_ in runner.addresses]})
        yield
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, addresses: Sequence[Address]) -> None:
    for host, port in addresses:
        try:
            await web.TCPSite(runner, host, port, reuse_port=True, backlog=1024).start()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise OSError(error.errno, f"{host}:{port} is taken: stop who listens there, or set LISTEN") from None
            # A machine without IPv6 still has the other address.
            if error.errno != errno.EADDRNOTAVAIL:
                raise
            log.warning("This machine does not have the address", extra={"host": host})
    if not runner.sites:
        raise OSError(errno.EADDRNOTAVAIL, f"None of LISTEN's addresses is one of this machine: {addresses}")


def addresses(listen: str) -> list[Address]:
    """`127.0.0.1:4000,[::1]:4000`. Raises ValueError, saying what is wrong."""
    return [_address(part.strip()) for part in listen.split(",")]


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not bare or (":" in bare and bare == host) or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"LISTEN holds {text!r}: expected host:port or [address]:port, several with commas")
    return bare, int(port)

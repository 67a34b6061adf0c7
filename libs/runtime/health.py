"""Health: what this process still lacks, told on its private port beside its metrics.

`/healthz` answers while the process runs, `/readyz` is 200 only when nothing is missing, `/metrics` is Prometheus text.
The port is up before anything else and goes last, so that a service that waits can say for what.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_GRACE = 1.0


class Health:
    """What is missing and why, by name."""

    def __init__(self) -> None:
        self.missing: dict[str, str] = {"start": "the service is starting"}

    @property
    def ready(self) -> bool:
        return not self.missing

    def lacks(self, name: str, why: str) -> bool:
        """True where that is news."""
        news = name not in self.missing
        self.missing[name] = why
        return news

    def has(self, name: str) -> bool:
        """True where that is news."""
        return self.missing.pop(name, None) is not None


@asynccontextmanager
async def private_port(health: Health, host: str, port: int, observe: Callable[[], None]) -> AsyncGenerator[int]:
    """Serves health and metrics; yields the port. `observe` sets the gauges that are read when asked for."""
    app = web.Application()
    app.add_routes(
        [
            web.get("/healthz", _alive),
            web.get("/readyz", _readiness(health)),
            web.get("/metrics", _metrics(observe)),
        ]
    )
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=_GRACE)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


async def _alive(_: web.Request) -> web.Response:
    return _json(200, {"alive": True})


def _readiness(health: Health) -> Handler:
    async def ready(_: web.Request) -> web.Response:
        return _json(200 if health.ready else 503, {"ready": health.ready, "missing": health.missing})

    return ready


def _metrics(observe: Callable[[], None]) -> Handler:
    async def metrics(_: web.Request) -> web.Response:
        observe()
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return metrics


def _json(status: int, body: object) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json")

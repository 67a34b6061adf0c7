"""What a route works with, put together once by `build`."""

from dataclasses import dataclass
from typing import TypeVar

from aiohttp import web

from libs.blobs import Blobs
from libs.bus.bus import Bus
from libs.bus.follow import Follower
from libs.contracts.faults import Code, Fault
from libs.contracts.subjects import Rpc
from libs.postgres.database import Database
from libs.runtime.sealing import Sealer
from services.gateway.calls import Calls
from services.gateway.directory.callers import Callers
from services.gateway.directory.guests import Guests
from services.gateway.directory.signing_in.logins import Logins
from services.gateway.directory.signing_in.tokens import Tokens
from services.gateway.effects.keeper import Effects
from services.gateway.http import effect
from services.gateway.http.proxies import Proxies
from services.gateway.http.room import Room
from services.gateway.http.sse import Streams
from services.gateway.limits.addresses import Addresses
from services.gateway.limits.limits import Limits
from services.gateway.plans.plans import Plans

Req = TypeVar("Req")
Rep = TypeVar("Rep")


@dataclass(frozen=True)
class Engine:
    """`feeds` follows runs over a connection of its own, `runs` waits for blocking ones, `run_seconds` at most."""

    bus: Bus
    runs: Follower
    feeds: Follower
    blobs: Blobs
    database: Database
    sealer: Sealer
    callers: Callers
    calls: Calls
    plans: Plans
    limits: Limits
    addresses: Addresses
    guests: Guests
    tokens: Tokens
    logins: Logins
    effects: Effects
    streams: Streams
    proxies: Proxies
    public_url: str
    run_seconds: float
    room: Room


ENGINE = web.AppKey("engine", Engine)


async def ask(request: web.Request, rpc: Rpc[Req, Rep], question: Req, *, timeout: float = 10.0) -> Rep:
    """The answer of the service that owns `rpc`. Raises its Fault, UNAVAILABLE or TIMEOUT.

    Under an Idempotency-Key, what it makes gets its id from the request's effect.
    """
    return await request.app[ENGINE].bus.call(rpc, effect.named(request, question), timeout=timeout)


async def perhaps(request: web.Request, rpc: Rpc[Req, Rep], question: Req) -> Rep | None:
    """As `ask`, where what is asked for need not be there: None then."""
    try:
        return await ask(request, rpc, question)
    except Fault as fault:
        if fault.code is not Code.NOT_FOUND:
            raise
        return None

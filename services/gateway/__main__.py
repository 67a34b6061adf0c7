"""gateway: who is calling? The public door with its voices; `admin` works on the directory behind it."""

import asyncio
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from libs.bus.bus import Bus
from libs.bus.follow import Follower
from libs.contracts import contacts, documents, errands, runs
from libs.postgres.database import Database
from libs.runtime.service import Service, run
from libs.runtime.settings import Common
from services.gateway.calls import Calls
from services.gateway.contacts import asked
from services.gateway.contacts.answers import Contacts
from services.gateway.dialects import klairo, klisk, klu, llmstack, openai
from services.gateway.directory import admin, endings, guests
from services.gateway.directory.bootstrap import Wanted, bootstrap
from services.gateway.directory.callers import KEYS, Callers
from services.gateway.directory.guests import Guests
from services.gateway.directory.signing_in import throttle
from services.gateway.directory.signing_in.logins import Logins
from services.gateway.directory.signing_in.standing import STANDINGS
from services.gateway.directory.signing_in.tokens import Tokens
from services.gateway.effects.keeper import Effects
from services.gateway.engine import Engine
from services.gateway.http import server
from services.gateway.http.access import AccessLog
from services.gateway.http.proxies import Proxies
from services.gateway.http.room import Room
from services.gateway.http.sse import Streams
from services.gateway.limits.addresses import Addresses
from services.gateway.limits.limits import Limits
from services.gateway.plans.plans import CUSTOM_REQUESTS_PER_MINUTE, Plans

VOICES = (klu.VOICE, klisk.VOICE, klairo.VOICE, llmstack.VOICE, openai.VOICE)

# Seconds in which the door shuts on those who are still being answered.
_DOOR_SHUTS = 0.4


class Settings(Common, kw_only=True, frozen=True):
    listen: str = "127.0.0.1:4000,[::1]:4000"
    # What clients are told as the beginning of this engine's addresses, where a proxy stands before it.
    public_url: str = ""
    # Proxies whose word on where a client comes from is taken, as CIDRs.
    trusted_proxies: str = ""
    # Whether what comes over plain HTTP is refused, which the proxies tell.
    require_https: bool = False
    requests_at_once: Annotated[int, Meta(ge=1, description="a whole number from 1")] = 4096
    body_megabytes_at_once: Annotated[int, Meta(ge=1, description="a whole number from 1")] = 256
    stalled_seconds: Annotated[float, Meta(gt=0, description="a number of seconds")] = 30.0
    run_seconds: Annotated[float, Meta(gt=0, description="the seconds that a blocking run may take")] = 600.0
    # Of the plans that have no number of their own.
    custom_requests_per_minute: Annotated[int, Meta(ge=1, description="a whole number from 1")] = (
        CUSTOM_REQUESTS_PER_MINUTE
    )
    # From one address without a key, by each process.
    address_requests_per_minute: Annotated[int, Meta(ge=1, description="a whole number from 1")] = 6000
    retention_days: Annotated[int, Meta(ge=0, le=36_500, description="a number of days; 0 for ever")] = 0
    # Whether the Klisk voice needs a key, and which keys open it beside those of the workspaces.
    klisk_auth: Literal["required", "open"] = "required"
    klisk_api_key: str = ""
    klisk_chat_key: str = ""
    klisk_widget_key: str = ""
    bootstrap_email: str = ""
    bootstrap_workspace: str = "Main"
    bootstrap_password: str = ""
    bootstrap_api_key: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        server.addresses(self.listen)
        Proxies.of(self.trusted_proxies, https_only=self.require_https)
        if not self.master_keys:
            raise ValueError("MASTER_KEYS is missing: expected kid:base64 of 32 bytes, to seal links with")
        if self.public_url and not _is_start(self.public_url):
            raise ValueError(f"PUBLIC_URL is {self.public_url!r}: expected https://host, without a slash at the end")


def _is_start(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and bool(parts.netloc) and not url.endswith("/") and not parts.query


async def build(service: Service, settings: Settings) -> None:
    await _bootstrap(service.database, settings)
    feeds = await _feeds(service, settings)
    tokens = Tokens(service.sealer)
    plans = Plans(service.database, service.changes, custom=settings.custom_requests_per_minute)
    limits = Limits(service.database, service.instance, plans, service.changes)
    engine = Engine(
        bus=service.bus,
        runs=Follower(service.bus),
        feeds=Follower(feeds),
        blobs=service.blobs,
        database=service.database,
        sealer=service.sealer,
        callers=Callers(service.database, service.changes),
        calls=Calls(service.database),
        plans=plans,
        limits=limits,
        addresses=Addresses(settings.address_requests_per_minute),
        guests=_guests(service, settings),
        tokens=tokens,
        logins=await asyncio.to_thread(Logins, service.database, tokens),
        effects=Effects(service.database, service.sealer),
        streams=Streams(stalled_seconds=settings.stalled_seconds),
        proxies=Proxies.of(settings.trusted_proxies, https_only=settings.require_https),
        public_url=settings.public_url,
        run_seconds=settings.run_seconds,
        room=Room(requests=settings.requests_at_once, body_bytes=settings.body_megabytes_at_once << 20),
    )
    service.changes.watch(KEYS, engine.streams.doubt)
    service.changes.watch(STANDINGS, engine.streams.doubt)
    access = AccessLog(service.name, service.instance, on=settings.log_level in ("DEBUG", "INFO"))
    app = server.app_of(engine, VOICES, access)

    service.background("access log", access.run)
    _run_beside(service, settings, engine)
    _serve(service)
    service.hear(runs.ERASED, endings.runs_erased)
    service.hear(documents.ERASED, endings.documents_erased)
    service.hear(errands.CONTACT_UPDATE_ASKED, asked.updates)
    addresses, finish_seconds = server.addresses(settings.listen), service.work_seconds - _DOOR_SHUTS
    service.around(server.listening(app, addresses, finish_seconds=finish_seconds))
    service.on_stop(limits.leave)
    service.on_stop(engine.calls.tell)
    service.on_stop(lambda: _leave(engine, feeds))
    service.on_stop(engine.effects.finish)  # first, while there is still who answers


async def _feeds(service: Service, settings: Settings) -> Bus:
    return await Bus.connect(
        settings.nats_url,
        owner=service.name,
        instance=service.instance,
        blobs=service.blobs,
        user=settings.nats_user,
        password=settings.nats_password,
        name=f"{service.instance}-feeds",
    )


def _run_beside(service: Service, settings: Settings, engine: Engine) -> None:
    service.background("heartbeats", engine.streams.beat)
    service.background("streams of revoked keys", lambda: engine.streams.sift(engine.callers.still_valid))
    service.background("calls", engine.calls.run)
    service.background("gateways", engine.limits.company.run)
    service.background("limits", engine.limits.books.run)
    service.background("effects", engine.effects.renew)
    service.background("upkeep", engine.effects.upkeep)
    service.background("login attempts", lambda: throttle.upkeep(service.database))
    service.background("retention", endings.Retention(service.database, days=settings.retention_days).run)


def _serve(service: Service) -> None:
    known = Contacts(service.database)
    service.serve(contacts.SEARCH, known.search)
    service.serve(contacts.GET, known.get)


def _guests(service: Service, settings: Settings) -> Guests:
    keys = guests.listed(settings.klisk_api_key, settings.klisk_chat_key, settings.klisk_widget_key)
    return Guests(service.database, service.changes, keys, anyone=settings.klisk_auth == "open")


async def _leave(engine: Engine, feeds: Bus) -> None:
    await engine.runs.close()
    await engine.feeds.close()
    await feeds.close()


async def _bootstrap(database: Database, settings: Settings) -> None:
    """The first account from the environment. A key that nobody would see is not made."""
    if settings.bootstrap_email:
        wanted = Wanted(
            settings.bootstrap_email,
            settings.bootstrap_workspace,
            settings.bootstrap_password,
            settings.bootstrap_api_key,
        )
        await bootstrap(database, wanted)


if __name__ == "__main__":
    run("gateway", Settings, build, {"admin": admin.main})

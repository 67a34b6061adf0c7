"""Connecting to what a service stands on: blobs, its schema, the bus. Each is waited for, in whatever order they come.

What goes away later comes back without us; `watch` notices, and tells it on the private port.
"""

import asyncio
from typing import NoReturn

from libs.blobs import Blobs
from libs.bus.bus import Bus
from libs.contracts.faults import Fault
from libs.postgres.database import Database
from libs.postgres.migrate import migrate
from libs.runtime.health import Health
from libs.runtime.settings import Common
from libs.runtime.waiting import mendable, tell, until

_WATCH_SECONDS = 1.0


async def blobs(settings: Common, health: Health) -> Blobs:
    async def attempt() -> Blobs:
        return Blobs.open(settings.blobs_url)

    return await until(health, "blobs", attempt, waits=mendable)


async def postgres(schema: str, settings: Common, health: Health) -> Database:
    async def attempt() -> Database:
        return await Database.connect(
            settings.postgres_dsn,
            schema=schema,
            pool_size=settings.postgres_pool_size,
            statement_cache_size=settings.postgres_statement_cache_size,
        )

    return await until(health, "postgres", attempt, waits=mendable)


async def migrations(database: Database, health: Health) -> None:
    """Every process of a service tries; one of them applies what is new."""
    await until(health, "migrations", lambda: migrate(database, f"services.{database.schema}"))


async def nats(owner: str, instance: str, settings: Common, health: Health, files: Blobs) -> Bus:
    async def attempt() -> Bus:
        return await Bus.connect(
            settings.nats_url,
            owner=owner,
            instance=instance,
            blobs=files,
            user=settings.nats_user,
            password=settings.nats_password,
        )

    return await until(health, "nats", attempt, waits=mendable)


async def watch(health: Health, database: Database, bus: Bus) -> NoReturn:
    while True:
        tell(health, "nats", "" if bus.connected else "the connection is lost")
        tell(health, "postgres", await _trouble(database))
        await asyncio.sleep(_WATCH_SECONDS)


async def _trouble(database: Database) -> str:
    try:
        await database.pulse.fetchval("SELECT 1")
    except Fault as fault:
        return str(fault.__cause__ or fault)
    return ""

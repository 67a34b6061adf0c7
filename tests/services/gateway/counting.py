"""Gateways as far as they count: several in this process, each with its own database, that can be killed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from libs.contracts import ids
from libs.postgres.changes import Changes
from libs.postgres.database import Database
from libs.postgres.migrate import migrate
from services.gateway.directory import people
from services.gateway.limits import company
from services.gateway.limits.limits import Limits
from services.gateway.plans import plans
from services.gateway.plans.plans import Plans
from services.gateway.plans.store import Own, Put
from tests.support.proxy import Proxy
from tests.support.servers import Databases
from tests.support.waiting import until

_CLIENTS = 4


@dataclass
class Gateway:
    """`admitted` is what its clients were let in with."""

    limits: Limits
    changes: Changes
    tasks: list["asyncio.Task[None]"]
    admitted: int = 0
    killed: bool = False

    async def message(self, workspace_id: UUID) -> bool:
        await asyncio.sleep(0)  # as for a client's bytes: the others have their turns
        standing = await self.limits.message(workspace_id)
        admitted = standing is None or standing.admitted
        self.admitted += admitted
        return admitted

    async def kill(self) -> None:
        """As by a signal that can't be caught: nothing is said, written or given back."""
        self.killed = True
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@asynccontextmanager
async def gateways(databases: Databases, count: int, *, cut_off: Proxy | None = None) -> AsyncIterator[list[Gateway]]:
    """All of them there, and each in sight of the others, on a machine that stands still too; the first behind the
    proxy.
    """
    dsn = databases.dsn("gateway")
    async with AsyncExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).setattr(company, "_SEEN_SECONDS", 600.0)
        first = await _gateway(cut_off.before(dsn) if cut_off else dsn, stack)
        made = [first, *[await _gateway(dsn, stack) for _ in range(count - 1)]]
        await until(lambda: all(each.limits.company.size >= count for each in made))
        try:
            yield made
        finally:
            for each in made:
                if not each.killed:
                    await each.limits.leave()
                    await each.kill()


async def _gateway(dsn: str, stack: AsyncExitStack) -> Gateway:
    database = await Database.connect(dsn, schema="gateway", pool_size=4)
    stack.push_async_callback(database.close)
    await migrate(database, "services.gateway")
    changes = Changes(database)
    limits = Limits(database, f"gateway-{ids.new()}", Plans(database, changes), changes)
    work = (changes.run, limits.company.run, limits.books.run)
    return Gateway(limits, changes, [asyncio.create_task(each()) for each in work])


async def workspace(database: Database, name: str, **figures: Any) -> UUID:
    """On the plan growth, but for these figures."""
    async with database.transaction() as connection:
        made = await people.make_workspace(connection, name)
        await plans.change(connection, made.id, Put(await plans.find(connection, "growth"), Own(**figures)))
    return made.id


async def spend(gateway: Gateway, workspace_id: UUID) -> int:
    """How many messages are let in until every client was refused one."""

    async def client() -> int:
        return await anext(count for count in range(10**9) if not await gateway.message(workspace_id))

    return sum(await asyncio.gather(*(client() for _ in range(_CLIENTS))))

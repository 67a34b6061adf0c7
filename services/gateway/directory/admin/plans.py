"""The commands that say how much a workspace may do: its plan, and figures of its own beside it."""

import time
from argparse import Namespace
from typing import Any
from uuid import UUID

from msgspec import Struct

from libs.contracts.limits import Kind
from libs.postgres.database import Connection, Database
from libs.runtime.commands.answers import Answer
from services.gateway.directory import people
from services.gateway.limits import store as limits
from services.gateway.limits import windows
from services.gateway.plans import plans, store
from services.gateway.plans.store import Figures, Own, Put

REQUESTS, ANALYTICS = "requests_per_minute", "analytics"
FIGURES = {
    REQUESTS: "requests a minute",
    "chat_messages_per_day": "messages to a model a day",
    "api_calls_per_month": "requests with an API key a month",
    "webhooks": "webhooks that a workspace may have",
    "automations": "automations that a workspace may have",
}

_COLUMNS = ("workspace", "plan", *FIGURES)
_COLUMNS_OF_PLAN = ("name", "title", *FIGURES, ANALYTICS)


class Allowed(Struct, frozen=True):
    """`own` names the figures that are not the plan's. None is without a limit; of requests, the installation's."""

    workspace_id: UUID
    workspace: str
    plan: str
    own: list[str]
    requests_per_minute: int | None
    chat_messages_per_day: int | None
    api_calls_per_month: int | None
    webhooks: int | None
    automations: int | None


class Shown(Struct, frozen=True):
    """For --json: with what was `used` of each limit in the minute, the day and the month that go on."""

    allowed: Allowed
    used: dict[Kind, int]


async def list_all(database: Database, options: Namespace) -> Answer:
    async with database.acquire() as connection:
        found = await store.plans(connection)
    return Answer(found, found, _COLUMNS_OF_PLAN)


async def define(database: Database, options: Namespace) -> Answer:
    figures = Figures(**_given(options))
    async with database.transaction() as connection:
        plan = await plans.define(connection, options.plan, figures)
    return Answer(plan, [plan], _COLUMNS_OF_PLAN)


async def show(database: Database, options: Namespace) -> Answer:
    async with database.acquire() as connection:
        workspace = await people.find_workspace(connection, options.workspace)
        put = await plans.of(connection, workspace.id)
        used = {kind: await _used(connection, workspace.id, kind) for kind in Kind}
    allowed = _allowed(workspace.id, workspace.name, put)
    notes = ", ".join(f"{count} {kind.spoken}" for kind, count in used.items())
    return Answer(Shown(allowed, used), [allowed], _COLUMNS, (f"Used so far: {notes}",))


async def set_workspace(database: Database, options: Namespace) -> Answer:
    async with database.transaction() as connection:
        workspace = await people.find_workspace(connection, options.workspace)
        put = Put(await plans.find(connection, options.plan), Own(**_given(options)))
        await plans.change(connection, workspace.id, put)
    allowed = _allowed(workspace.id, workspace.name, put)
    return Answer(allowed, [allowed], _COLUMNS)


def _given(options: Namespace) -> dict[str, Any]:
    return {name: value for name, value in vars(options).items() if name in (*FIGURES, ANALYTICS)}


async def _used(connection: Connection, workspace_id: UUID, kind: Kind) -> int:
    """As it was written down within the last second."""
    begins, _ = windows.window(kind, time.time())
    return await limits.used_of(connection, (workspace_id, kind, begins))


def _allowed(workspace_id: UUID, workspace: str, put: Put) -> Allowed:
    figures = put.figures()
    return Allowed(
        workspace_id,
        workspace,
        figures.name,
        list(put.own.said()),
        figures.requests_per_minute,
        figures.chat_messages_per_day,
        figures.api_calls_per_month,
        figures.webhooks,
        figures.automations,
    )

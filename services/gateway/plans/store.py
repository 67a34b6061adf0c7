"""Plans in Postgres: one function per statement."""

from typing import Any
from uuid import UUID

import msgspec
from asyncpg import Record
from msgspec import UNSET, Struct, UnsetType, structs

from libs.postgres.database import Connection


class Plan(Struct, frozen=True):
    """None is without a limit; of requests, the installation's number."""

    name: str
    title: str
    requests_per_minute: int | None
    chat_messages_per_day: int | None
    api_calls_per_month: int | None
    webhooks: int | None
    automations: int | None
    analytics: bool


class Own(Struct, frozen=True):
    """Figures of a workspace's own. Those that are left out are its plan's."""

    requests_per_minute: int | UnsetType = UNSET
    chat_messages_per_day: int | UnsetType | None = UNSET
    api_calls_per_month: int | UnsetType | None = UNSET
    webhooks: int | UnsetType | None = UNSET
    automations: int | UnsetType | None = UNSET

    def said(self) -> dict[str, Any]:
        return msgspec.to_builtins(self)


class Figures(Own, frozen=True):
    """Of a plan, those that change."""

    requests_per_minute: int | UnsetType | None = UNSET
    analytics: bool | UnsetType = UNSET


class Put(Struct, frozen=True):
    """The plan that a workspace is on, and what it has in place of the plan's figures."""

    plan: Plan
    own: Own = Own()

    def figures(self) -> Plan:
        return structs.replace(self.plan, **self.own.said())


_PLAN = (
    "plans.name, title, requests_per_minute, chat_messages_per_day, api_calls_per_month, webhooks, automations, "
    "analytics"
)
_OF_WORKSPACE = f"""
SELECT {_PLAN}, own_figures FROM workspaces JOIN plans ON plans.name = workspaces.plan WHERE workspaces.id = $1
"""


async def plans(connection: Connection) -> list[Plan]:
    return [Plan(**row) for row in await connection.fetch(f"SELECT {_PLAN} FROM plans ORDER BY position")]


async def lock_plan(connection: Connection, name: str) -> None:
    """Until this transaction ends no workspace is put on it, and those that were just being put are known."""
    await connection.execute("SELECT FROM plans WHERE name = $1 FOR UPDATE", name)


async def define(connection: Connection, plan: Plan) -> None:
    await connection.execute(
        """
        UPDATE plans SET requests_per_minute = $2, chat_messages_per_day = $3, api_calls_per_month = $4, webhooks = $5,
            automations = $6, analytics = $7
        WHERE name = $1
        """,
        plan.name,
        plan.requests_per_minute,
        plan.chat_messages_per_day,
        plan.api_calls_per_month,
        plan.webhooks,
        plan.automations,
        plan.analytics,
    )


async def workspaces_on(connection: Connection, plan: str) -> list[UUID]:
    return [row["id"] for row in await connection.fetch("SELECT id FROM workspaces WHERE plan = $1", plan)]


async def of_workspace(connection: Connection, workspace_id: UUID) -> Put | None:
    return _put(await connection.fetchrow(_OF_WORKSPACE, workspace_id))


async def lock(connection: Connection, workspace_id: UUID) -> Put | None:
    """As `of_workspace`, to be changed in this transaction."""
    return _put(await connection.fetchrow(f"{_OF_WORKSPACE} FOR NO KEY UPDATE OF workspaces", workspace_id))


async def put(connection: Connection, workspace_id: UUID, wanted: Put) -> None:
    await connection.execute(
        "UPDATE workspaces SET plan = $2, own_figures = $3, updated_at = now() WHERE id = $1",
        workspace_id,
        wanted.plan.name,
        wanted.own.said(),
    )


def _put(row: Record | None) -> Put | None:
    if row is None:
        return None
    columns = dict(row)
    own = msgspec.convert(columns.pop("own_figures"), Own)
    return Put(Plan(**columns), own)

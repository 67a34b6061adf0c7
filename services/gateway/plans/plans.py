"""What each workspace is allowed, as every process knows it, and how that is changed.

The rule: a change, what tells the other processes and what tells the world of it commit together.
"""

from uuid import UUID

from msgspec import Struct, structs

from libs.contracts import plans
from libs.contracts.faults import Code, Fault, not_found
from libs.postgres import changes, outbox
from libs.postgres.changes import Changes
from libs.postgres.database import Connection, Database
from services.gateway.plans import store
from services.gateway.plans.store import Figures, Plan, Put

PLANS = "plans"
CUSTOM_REQUESTS_PER_MINUTE = 600_000


class Terms(Struct, frozen=True):
    """What a workspace is allowed in the end. None is without a limit; days and months are those of UTC."""

    plan: str
    title: str
    requests_per_minute: int
    chat_messages_per_day: int | None
    api_calls_per_month: int | None
    webhooks: int | None
    automations: int | None
    analytics: bool


class Plans:
    """`custom` is how many requests a minute a plan has that has no number of its own."""

    def __init__(self, database: Database, changes: Changes, *, custom: int = CUSTOM_REQUESTS_PER_MINUTE) -> None:
        self._database, self._custom = database, custom
        self._terms = changes.cache(PLANS, self._load)

    async def of(self, workspace_id: UUID) -> Terms:
        """Costs no query as a rule. Raises Fault NOT_FOUND for a workspace that is none, UNAVAILABLE."""
        found = await self._terms.get(workspace_id.hex)
        if found is None:
            raise not_found("workspace", workspace_id)
        return found

    async def _load(self, workspace: str) -> Terms | None:
        async with self._database.acquire() as connection:
            put = await store.of_workspace(connection, UUID(workspace))
        return None if put is None else _terms(put, self._custom)


def _terms(put: Put, custom: int) -> Terms:
    figures = put.figures()
    return Terms(
        plan=figures.name,
        title=figures.title,
        requests_per_minute=custom if figures.requests_per_minute is None else figures.requests_per_minute,
        chat_messages_per_day=figures.chat_messages_per_day,
        api_calls_per_month=figures.api_calls_per_month,
        webhooks=figures.webhooks,
        automations=figures.automations,
        analytics=figures.analytics,
    )


async def find(connection: Connection, name: str) -> Plan:
    """Raises Fault INVALID."""
    known = await store.plans(connection)
    for plan in known:
        if plan.name == name:
            return plan
    names = ", ".join(plan.name for plan in known)
    raise Fault(Code.INVALID, f"{name!r} is no plan: expected one of {names}.", field="plan")


async def define(connection: Connection, name: str, figures: Figures) -> Plan:
    """From now on, for every workspace on the plan; figures that are not named stay. Raises Fault INVALID."""
    await store.lock_plan(connection, name)
    plan = structs.replace(await find(connection, name), **figures.said())
    await store.define(connection, plan)
    on_it = await store.workspaces_on(connection, name)
    await changes.all_changed(connection, PLANS, [workspace_id.hex for workspace_id in on_it])
    return plan


async def of(connection: Connection, workspace_id: UUID) -> Put:
    """Raises Fault NOT_FOUND."""
    put = await store.of_workspace(connection, workspace_id)
    if put is None:
        raise not_found("workspace", workspace_id)
    return put


async def change(connection: Connection, workspace_id: UUID, put: Put) -> None:
    """From now on; figures of its own that the workspace had before are gone. Raises Fault NOT_FOUND."""
    before = await store.lock(connection, workspace_id)
    if before is None:
        raise not_found("workspace", workspace_id)
    if before != put:
        await store.put(connection, workspace_id, put)
        await changes.changed(connection, PLANS, workspace_id.hex)
    if before.plan.name != put.plan.name:
        fact = plans.PlanChanged(workspace_id, put.plan.name, before.plan.name)
        await outbox.state(connection, plans.CHANGED, [fact])

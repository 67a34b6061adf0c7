"""Beginning a run of an automation: its row, one for each step, and the fact, in the transaction of what set it off.

The rule: who sets one off within a transaction of its own does so once, however often it is tried.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from libs.contracts import automations, ids
from libs.contracts.automations import GetRun, Run, RunStarted, Status, TriggerAutomation
from libs.contracts.faults import Code, Fault, not_found
from libs.contracts.paging import Page
from libs.postgres import outbox, text
from libs.postgres.database import Connection, Database
from services.runner.store import automation_runs, automation_steps
from services.runner.store import automations as stored
from services.runner.store.automations import Stored

TOPIC = "automations"
_PAYLOAD_BYTES = 256 * 1024
_MANUAL = "manual"


class Cause(Struct, frozen=True):
    """What set a run off, and what that told. `chain` are the automations that led to it."""

    trigger: str
    payload: dict[str, Any] = {}
    chain: list[UUID] = []


class Triggering:
    """What `rpc.runner.automations.trigger` and `rpc.runner.automation_runs.*` answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def trigger(self, asked: TriggerAutomation) -> Run:
        """Raises Fault NOT_FOUND, CONFLICT where it is not active, TOO_LARGE."""
        run_id = asked.id or ids.new()
        async with self._database.transaction() as connection:
            # Two who set off the same run at once come one after the other.
            found = await stored.lock(connection, asked.workspace_id, asked.automation_id)
            if (known := await automation_runs.find(connection, asked.workspace_id, run_id)) is not None:
                return known
            _must_be_active(found)
            await begin(connection, run_id, found, Cause(_MANUAL, asked.payload))
        return await self.run(GetRun(asked.workspace_id, run_id))

    async def run(self, asked: GetRun) -> Run:
        """With its steps. Raises Fault NOT_FOUND."""
        found = await automation_runs.find(self._database, asked.workspace_id, asked.run_id)
        if found is None:
            raise not_found("run", asked.run_id)
        return structs.replace(found, steps=await automation_steps.of(self._database, found.id))

    async def runs(self, asked: automations.PageRuns) -> Page[Run]:
        if asked.automation_id is not None:
            await stored.get(self._database, asked.workspace_id, asked.automation_id)
        return await automation_runs.page(self._database, asked)


async def begin(connection: Connection, run_id: UUID, of: Stored, cause: Cause) -> None:
    """Raises Fault TOO_LARGE."""
    automation, now = of.automation, datetime.now(UTC)
    payload = text.clean(cause.payload)
    if len(msgspec.json.encode(payload)) > _PAYLOAD_BYTES:
        raise Fault(Code.TOO_LARGE, f"The payload is over {_PAYLOAD_BYTES >> 10} KiB.", field="payload")
    begun = automation_runs.Begun(
        id=run_id,
        workspace_id=automation.workspace_id,
        automation_id=automation.id,
        automation_name=automation.name,
        trigger=cause.trigger,
        payload=payload,
        contact_id=_contact(payload),
        chain=[*cause.chain, automation.id],
        sealed_headers=of.sealed_headers,
        steps_total=len(automation.steps),
        created_at=now,
    )
    if not await automation_runs.insert(connection, begun):
        raise Fault(Code.CONFLICT, f"There is another run of the id {run_id}.")
    await automation_steps.put(connection, automation.workspace_id, run_id, automation.steps)
    await outbox.state(connection, automations.STARTED, [_started(begun)])
    connection.wake_after(TOPIC)


def _started(begun: automation_runs.Begun) -> RunStarted:
    return RunStarted(
        workspace_id=begun.workspace_id,
        run_id=begun.id,
        automation_id=begun.automation_id,
        automation_name=begun.automation_name,
        trigger=begun.trigger,
        contact_id=begun.contact_id,
        chain=begun.chain,
    )


def _must_be_active(found: Stored) -> None:
    status = found.automation.status
    if status is not Status.ACTIVE:
        raise Fault(
            Code.CONFLICT, f"This automation is {'paused' if status is Status.PAUSED else 'a draft'}: activate it."
        )


def _contact(payload: dict[str, Any]) -> UUID | None:
    """Whom it is about, so that it is erased with them."""
    told = payload.get("contact_id")
    return ids.parse(told) if isinstance(told, str) else None

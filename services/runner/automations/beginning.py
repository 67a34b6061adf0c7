"""Beginning runs of automations: their rows, one for each step, and the facts, in the transaction of what set them off.

The rule: who sets one off within a transaction of its own does so once, however often it is tried.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from libs.contracts import automation_runs, ids
from libs.contracts.automation_runs import GetRun, Run, RunStarted, TriggerAutomation
from libs.contracts.automations import Status
from libs.contracts.faults import Code, Fault, not_found
from libs.contracts.paging import Page
from libs.postgres import outbox, text
from libs.postgres.database import Connection, Database
from services.runner.store import automation_runs as stored_runs
from services.runner.store import automation_steps
from services.runner.store import automations as stored
from services.runner.store.automation_runs import Begun
from services.runner.store.automation_steps import Planned
from services.runner.store.automations import Stored

TOPIC = "automations"
_PAYLOAD_BYTES = 256 * 1024
_MANUAL = "manual"


class Cause(Struct, frozen=True):
    """What set a run off, and what that told. `chain` are the automations that led to it."""

    trigger: str
    payload: dict[str, Any] = {}
    chain: list[UUID] = []


class SetOff(Struct, frozen=True):
    """An automation that is set off, under the id that its run gets."""

    run_id: UUID
    of: Stored
    cause: Cause


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
            if (known := await stored_runs.find(connection, asked.workspace_id, run_id)) is not None:
                return known
            _must_be_active(found)
            await begin(connection, [SetOff(run_id, found, Cause(_MANUAL, asked.payload))])
        return await self.run(GetRun(asked.workspace_id, run_id))

    async def run(self, asked: GetRun) -> Run:
        """With its steps. Raises Fault NOT_FOUND."""
        found = await stored_runs.find(self._database, asked.workspace_id, asked.run_id)
        if found is None:
            raise not_found("run", asked.run_id)
        return structs.replace(found, steps=await automation_steps.of(self._database, found.id))

    async def runs(self, asked: automation_runs.PageRuns) -> Page[Run]:
        if asked.automation_id is not None:
            await stored.get(self._database, asked.workspace_id, asked.automation_id)
        return await stored_runs.page(self._database, asked)


async def begin(connection: Connection, set_off: Sequence[SetOff]) -> None:
    """A run of each, in as many statements as one takes. Raises Fault TOO_LARGE, CONFLICT for an id that is taken."""
    if not set_off:
        return
    now = datetime.now(UTC)
    begun = [_begun(one, now) for one in set_off]
    free = await stored_runs.insert(connection, begun)
    for run in begun:
        if run.id not in free:
            raise Fault(Code.CONFLICT, f"There is another run of the id {run.id}.")
    planned = [Planned(one.of.automation.workspace_id, one.run_id, one.of.automation.steps) for one in set_off]
    await automation_steps.put(connection, planned)
    await outbox.state(connection, automation_runs.STARTED, [_started(run) for run in begun])
    connection.wake_after(TOPIC)


def _begun(set_off: SetOff, now: datetime) -> Begun:
    automation, cause = set_off.of.automation, set_off.cause
    payload = text.clean(cause.payload)
    if len(msgspec.json.encode(payload)) > _PAYLOAD_BYTES:
        raise Fault(Code.TOO_LARGE, f"The payload is over {_PAYLOAD_BYTES >> 10} KiB.", field="payload")
    return Begun(
        id=set_off.run_id,
        workspace_id=automation.workspace_id,
        automation_id=automation.id,
        automation_name=automation.name,
        trigger=cause.trigger,
        payload=payload,
        contact_id=_contact(payload),
        chain=[*cause.chain, automation.id],
        sealed_headers=set_off.of.sealed_headers,
        steps_total=len(automation.steps),
        created_at=now,
    )


def _started(begun: Begun) -> RunStarted:
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

"""Schedules: sets automations off whose time has come.

Any number of processes share them. The rule: a run begins in the transaction that notes when the next one does, so it
is one for each time; what was missed while nobody looked is one run.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from libs.bus.hear import Heard
from libs.contracts import ids, workspaces
from libs.contracts.faults import Fault
from libs.postgres.database import Connection, Database
from services.runner.automations import times
from services.runner.automations.beginning import Cause, SetOff, begin
from services.runner.store import automations as stored
from services.runner.store.automations import Stored

log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_AT_ONCE = 50
_SCHEDULE = "schedule"


class Schedules:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self) -> None:
        """For ever. Raises Fault UNAVAILABLE."""
        while True:
            while await self.once():
                pass
            await asyncio.sleep(_LOOK_SECONDS)

    async def once(self) -> bool:
        """Those that are due now; whether there may be more. Raises Fault UNAVAILABLE."""
        async with self._database.transaction() as connection:
            due = await stored.due(connection, _AT_ONCE)
            await begin(connection, [_set_off(automation) for automation in due])
            await stored.schedule(connection, _next_times(due))
        return len(due) == _AT_ONCE


async def timezone_changed(connection: Connection, heard: list[Heard[workspaces.TimezoneChanged]]) -> None:
    """Schedules without a time zone of their own go by the workspace's."""
    for event in heard:
        await stored.set_timezone(connection, event.fact.workspace_id, event.fact.timezone)
        changed = await stored.on_schedules_of(connection, event.fact.workspace_id)
        await stored.schedule(connection, _next_times(changed))


def _set_off(due: Stored) -> SetOff:
    assert due.automation.next_at is not None
    told = {"scheduled_at": due.automation.next_at.isoformat()}
    return SetOff(ids.new(), due, Cause(_SCHEDULE, told))


def _next_times(of: Sequence[Stored]) -> dict[UUID, datetime | None]:
    return {one.automation.id: _next(one) for one in of}


def _next(due: Stored) -> datetime | None:
    """None where its time zone is none any more: it is left alone, and says so by having no next time."""
    try:
        return times.next_at(due.automation, datetime.now(UTC))
    except Fault as fault:
        log.warning("A schedule has no next time", extra={"automation": due.automation.id, "error": fault.message})
        return None

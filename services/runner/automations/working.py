"""Working on automations' runs: takes each step that is due, and sees to what follows.

Owner: runner; any number of its processes share the steps. Nothing is lost with a process: its steps are taken up by
another where they were.
"""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from libs.bus.hear import Heard
from libs.contracts import contacts
from libs.contracts.contacts import GetContact
from libs.contracts.faults import Code, Fault
from libs.contracts.runs import OF_AUTOMATIONS, RunFinished
from libs.postgres.database import Connection, Database
from libs.postgres.leases import Lease
from libs.runtime.foundation import Service
from services.runner.automations import ending, filling
from services.runner.automations.beginning import TOPIC
from services.runner.automations.filling import Filling
from services.runner.automations.steps import Came, Hopeless, Steps, Waits
from services.runner.prompting.rendering import Renderer
from services.runner.shifts import Shift
from services.runner.store import automation_steps
from services.runner.store.automation_steps import Claimed

_SLOTS = 64
_SLOTS_OF_WORKSPACE = 16
_LOOK_SECONDS = 1.0
_TRIES = 4
# What comes back, or has room again, however long that takes.
_AWAY = frozenset({Code.UNAVAILABLE, Code.RATE_LIMITED})
# What another try may put right.
_AGAIN = _AWAY | {Code.UPSTREAM, Code.TIMEOUT, Code.INTERNAL}


async def answered(connection: Connection, heard: list[Heard[RunFinished]]) -> None:
    """Runs of steps' actions have ended: the steps go on."""
    ids = [event.fact.run_id for event in heard if event.fact.voice == OF_AUTOMATIONS]
    if ids and await automation_steps.answered(connection, ids):
        connection.wake_after(TOPIC)


async def awaited(_: Database, heard: list[Heard[RunFinished]]) -> bool:
    return any(event.fact.voice == OF_AUTOMATIONS for event in heard)


class Working:
    def __init__(self, service: Service, lease: Lease, steps: Steps, renderer: Renderer) -> None:
        database = service.database
        self._database, self._bus, self._steps, self._renderer = database, service.bus, steps, renderer
        self.shift = Shift(lease, self, slots=_SLOTS, rest=lambda: _LOOK_SECONDS)
        database.on_commit(TOPIC, self.shift.wake)

    async def claim(self, holder: str, limit: int, busy: Sequence[UUID]) -> list[Claimed]:
        return await automation_steps.claim(self._database, holder, limit=limit, busy=busy, each=_SLOTS_OF_WORKSPACE)

    async def do(self, step: Claimed, holder: str) -> None:
        filling = Filling(self._renderer, await self._scope(step))
        match await self._steps.take(step, holder, filling):
            case Came() as came:
                await ending.complete(self._database, step, holder, came)
            case Waits(until):
                await automation_steps.wait(self._database, step, holder, until=until)

    async def _scope(self, step: Claimed) -> dict[str, object]:
        return {
            "trigger": step.payload | await self._contact(step),
            "steps": await self._outputs(step),
            "automation": {"id": str(step.automation_id), "name": step.automation_name},
            "run": {"id": str(step.run_id)},
        }

    async def _outputs(self, step: Claimed) -> dict[str, dict[str, object]]:
        """What earlier steps came to, where the step speaks of it: that may be megabytes."""
        if not filling.speaks_of(step.kind, "steps"):
            return {}
        return await automation_steps.outputs(self._database, step.run_id)

    async def _contact(self, step: Claimed) -> dict[str, object]:
        """What is known now of whom the run is about, where the step speaks of it. Raises Fault UNAVAILABLE."""
        if step.contact_id is None or not filling.speaks_of(step.kind, "contact"):
            return {}
        try:
            found = await self._bus.call(contacts.GET, GetContact(step.workspace_id, step.contact_id))
        except Fault as fault:
            if fault.code is not Code.NOT_FOUND:
                raise
            return {}
        return {"contact": msgspec.to_builtins(found)}

    async def failed(self, step: Claimed, holder: str, fault: Fault) -> None:
        away = fault.code in _AWAY
        if fault.code in _AGAIN and not isinstance(fault, Hopeless) and (away or step.tries < _TRIES):
            pause = (fault.retry_after or 1.0) if away else 0.5 * 2.0**step.tries
            await automation_steps.postpone(self._database, step, holder, seconds=pause, counted=not away)
        else:
            await ending.fail(self._database, step, holder, fault)

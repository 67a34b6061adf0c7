"""Automations of a workspace: what `rpc.runner.automations.*` answers.

The rule: what could never run is refused here, and what headers say is sealed before it is written.
"""

from datetime import UTC, datetime

from msgspec import UNSET, structs

from libs.contracts import automations, ids
from libs.contracts.automation_steps import HttpRequest, Step
from libs.contracts.automations import Automation, CreateAutomation, GetAutomation, UpdateAutomation
from libs.contracts.faults import Code, Fault
from libs.contracts.paging import Page
from libs.postgres.database import Connection, Database
from services.runner.automations import times
from services.runner.automations.soundness import Soundness
from services.runner.keys import Keys
from services.runner.storable import storable
from services.runner.store import automations as stored
from services.runner.tools.headers import KEPT, renewed

Headers = dict[str, dict[str, str]]


class Automations:
    def __init__(self, database: Database, keys: Keys, soundness: Soundness) -> None:
        self._database, self._keys, self._soundness = database, keys, soundness

    async def create(self, asked: CreateAutomation) -> Automation:
        """Raises Fault: INVALID for what could not run, by its field; FORBIDDEN for one too many."""
        made = _made(storable(asked))
        if (known := await stored.find(self._database, made.workspace_id, made.id)) is not None:
            return known.automation
        await self._soundness.check(made)
        async with self._database.transaction() as connection:
            await stored.only_one_at_a_time(connection, made.workspace_id)
            if await stored.find(connection, made.workspace_id, made.id) is None:
                await _must_have_room(connection, asked)
                await self._put(connection, made)
        return await self.get(GetAutomation(made.workspace_id, made.id))

    async def get(self, asked: GetAutomation) -> Automation:
        return (await stored.get(self._database, asked.workspace_id, asked.automation_id)).automation

    async def page(self, asked: automations.PageAutomations) -> Page[Automation]:
        return await stored.page(self._database, asked)

    async def update(self, asked: UpdateAutomation) -> Automation:
        """Runs that go on keep what they began with. Raises Fault as `create` does."""
        asked = storable(asked)
        found = await stored.get(self._database, asked.workspace_id, asked.automation_id)
        await self._soundness.check_change(self._changed(found, asked), asked)
        async with self._database.transaction() as connection:
            before = await stored.lock(connection, asked.workspace_id, asked.automation_id)
            await self._put(connection, self._changed(before, asked))
        return await self.get(GetAutomation(asked.workspace_id, asked.automation_id))

    async def delete(self, asked: GetAutomation) -> Automation:
        """The automation as it was; its runs go with it, those that go on as well."""
        async with self._database.transaction() as connection:
            found = await stored.lock(connection, asked.workspace_id, asked.automation_id)
            await stored.delete(connection, asked.workspace_id, asked.automation_id)
        return found.automation

    def _changed(self, before: stored.Stored, asked: UpdateAutomation) -> Automation:
        """As it shall be, with its headers opened."""
        known = self._keys.open_steps(before.automation.id, before.sealed_headers)
        wanted = {name: value for name in _CHANGING if (value := getattr(asked, name)) is not UNSET}
        changed = structs.replace(before.automation, **wanted)
        return structs.replace(changed, steps=_with_headers(_named(changed.steps), known))

    async def _put(self, connection: Connection, made: Automation) -> None:
        sealed = self._keys.seal_steps(made.id, _headers(made.steps))
        due = times.next_at(made, datetime.now(UTC))
        await stored.put(connection, structs.replace(made, steps=_masked(made.steps), next_at=due), sealed)


_CHANGING = ("name", "status", "trigger", "steps")


async def _must_have_room(connection: Connection, asked: CreateAutomation) -> None:
    if asked.at_most is not None and await stored.count(connection, asked.workspace_id) >= asked.at_most:
        message = f"The plan has room for {asked.at_most} automations: delete one, or change the plan."
        raise Fault(Code.FORBIDDEN, message)


def _made(asked: CreateAutomation) -> Automation:
    now = datetime.now(UTC)
    return Automation(
        id=asked.id or ids.new(),
        workspace_id=asked.workspace_id,
        name=asked.name,
        status=asked.status,
        trigger=asked.trigger,
        steps=_named(asked.steps),
        timezone=asked.timezone,
        last_run_at=None,
        next_at=None,
        created_by=asked.created_by,
        created_at=now,
        updated_at=now,
    )


def _named(steps: list[Step]) -> list[Step]:
    """One without a name is called by its place."""
    return [structs.replace(step, name=step.name or f"step_{place}") for place, step in enumerate(steps, 1)]


def _headers(steps: list[Step]) -> Headers:
    return {step.name: step.kind.headers for step in steps if isinstance(step.kind, HttpRequest) and step.kind.headers}


def _masked(steps: list[Step]) -> list[Step]:
    return [_with(step, dict.fromkeys(_own(step), KEPT)) for step in steps]


def _with_headers(steps: list[Step], known: Headers) -> list[Step]:
    return [_with(step, renewed(_own(step), known.get(step.name, {}))) for step in steps]


def _own(step: Step) -> dict[str, str]:
    return step.kind.headers if isinstance(step.kind, HttpRequest) else {}


def _with(step: Step, headers: dict[str, str]) -> Step:
    if not isinstance(step.kind, HttpRequest):
        return step
    return structs.replace(step, kind=structs.replace(step.kind, headers=headers))

"""Erasing: runs that are deleted, alone or with their session or workspace, or because their time is up.

The rule: what is erased here is stated in the same transaction, so that the other services erase what they have of it.
What is too much for one transaction goes on in batches (libs.postgres.erasures).
"""

from collections.abc import Sequence
from uuid import UUID

from libs.contracts import runs, sessions
from libs.contracts.runs import GetRun, Run
from libs.postgres import erasures, outbox
from libs.postgres.database import Connection, Database
from libs.postgres.erasures import Erasure, Gone, Kind
from services.runner.runs import grounding
from services.runner.runs.starting import Stopping
from services.runner.store import automation_runs, grounded
from services.runner.store import erasing as store
from services.runner.store import sessions as stored_sessions

_BATCH = 500
# Ids in one fact: an eval may have tried each of a batch many times.
_TOLD = 1000


class Erasing:
    def __init__(self, database: Database, stopping: Stopping) -> None:
        self._database, self._stopping = database, stopping

    async def delete(self, asked: GetRun) -> Run:
        """The run as it was; one that goes on is cancelled first. Raises Fault as `Stopping.cancel` does."""
        run = await self._stopping.cancel(asked)
        async with self._database.transaction() as connection:
            await erase(connection, asked.workspace_id, [run.id])
        return run


async def delete_session(connection: Connection, session: sessions.Session) -> None:
    """With its runs: a first batch at once, what there is beyond it and what still goes on soon after."""
    workspace_id = session.workspace_id
    ids = await store.inherited(connection, workspace_id, session.id)
    ids += await store.of_sessions(connection, workspace_id, [session.id], _BATCH)
    await stored_sessions.delete(connection, workspace_id, session.id)
    await erase(connection, workspace_id, ids)
    await erasures.ask(connection, Kind.SESSIONS, [Gone(workspace_id, [session.id])])


async def erase(connection: Connection, workspace_id: UUID, ids: Sequence[UUID]) -> None:
    """With them go the runs in which an eval tried their inputs again: those that still go on soon after."""
    again = await store.tried_again(connection, workspace_id, ids) if ids else []
    gone = await store.erase(connection, workspace_id, [*ids, *again]) if ids else []
    if going_on := set(again) - set(gone):
        await erasures.ask(connection, Kind.RUNS, [Gone(workspace_id, list(going_on))])
    if gone:
        told = [runs.RunsErased(workspace_id, gone[start : start + _TOLD]) for start in range(0, len(gone), _TOLD)]
        await outbox.state(connection, runs.ERASED, told)


async def _runs(connection: Connection, erasure: Erasure) -> bool:
    await erase(connection, erasure.workspace_id, erasure.ids)
    return False


async def _sessions(connection: Connection, erasure: Erasure) -> bool:
    found = await store.of_sessions(connection, erasure.workspace_id, erasure.ids, _BATCH)
    await erase(connection, erasure.workspace_id, found)
    return len(found) == _BATCH


async def _expired(connection: Connection, erasure: Erasure) -> bool:
    assert erasure.before is not None
    found = await store.older(connection, erasure.workspace_id, erasure.before, _BATCH)
    await erase(connection, erasure.workspace_id, found)
    gone = await automation_runs.erase_older(connection, erasure.workspace_id, erasure.before, _BATCH)
    if _BATCH in (len(found), gone):
        return True
    await store.empty_sessions(connection, erasure.workspace_id, erasure.before)
    return False


async def _workspace(connection: Connection, erasure: Erasure) -> bool:
    """The other services hear of the workspace themselves: nothing is stated of its runs."""
    found = await store.of_workspace(connection, erasure.workspace_id, _BATCH)
    if found:
        await store.erase(connection, erasure.workspace_id, found)
        return True
    await store.rest_of_workspace(connection, erasure.workspace_id)
    return False


async def _contacts(connection: Connection, erasure: Erasure) -> bool:
    """Automations' runs that were about them, whatever has become of those."""
    await automation_runs.erase_contacts(connection, erasure.workspace_id, erasure.ids)
    return False


async def _documents(connection: Connection, erasure: Erasure) -> bool:
    """Passages go out of the prompts, and the documents' names out of the sources; the answers are the runs' own."""
    found = await grounded.find(connection, erasure.workspace_id, erasure.ids, _BATCH)
    if found:
        gone = set(erasure.ids)
        await grounded.replace(connection, [grounding.without(run, gone) for run in found])
    return len(found) == _BATCH


STEPS = {
    Kind.RUNS: _runs,
    Kind.SESSIONS: _sessions,
    Kind.EXPIRED: _expired,
    Kind.WORKSPACE: _workspace,
    Kind.DOCUMENTS: _documents,
    Kind.CONTACTS: _contacts,
}

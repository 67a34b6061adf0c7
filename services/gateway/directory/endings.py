"""Endings: a workspace that is deleted, and what in one has expired.

The rule: it is stated in the same transaction, and each service erases what it has (libs.postgres.erasures). The
gateway's own part is gone at once: no key opens the workspace any more.
"""

import asyncio

from libs.bus.hear import Heard
from libs.contracts import documents, runs, workspaces
from libs.contracts.faults import Code, Fault
from libs.postgres import changes, outbox
from libs.postgres.database import Connection, Database
from services.gateway.directory import store
from services.gateway.directory.callers import KEYS, Caller
from services.gateway.directory.guests import OLDEST, WORKSPACES
from services.gateway.directory.signing_in import standing
from services.gateway.directory.store import Workspace
from services.gateway.effects import store as effects
from services.gateway.limits import store as limits

_LOOK_SECONDS = 60.0
_BATCH = 200


async def must_be_allowed(connection: Connection, caller: Caller) -> None:
    """An owner's key, or one of nobody's, which the operator made. Raises Fault FORBIDDEN."""
    if caller.account_id is None or await store.role(connection, caller.workspace_id, caller.account_id) == "owner":
        return
    raise Fault(Code.FORBIDDEN, "Only an owner's key may delete the workspace.")


async def delete(connection: Connection, workspace: Workspace) -> None:
    for hash in await store.hashes(connection, workspace.id):
        await changes.changed(connection, KEYS, hash.hex())
    await standing.changed(connection, workspace_id=workspace.id)
    await changes.changed(connection, WORKSPACES, OLDEST)
    await store.delete_workspace(connection, workspace.id)
    await effects.drop_scope(connection, workspace.id)
    await limits.forget(connection, workspace.id)
    await outbox.state(connection, workspaces.DELETED, [workspaces.WorkspaceDeleted(workspace.id)])


class Retention:
    """`days` are kept where a workspace has no number of its own; 0 is for ever."""

    def __init__(self, database: Database, *, days: int) -> None:
        self._database, self._days = database, days

    async def run(self) -> None:
        """For ever: every hour, of each workspace, by whichever process looks first."""
        while True:
            while await self.once():
                pass
            await asyncio.sleep(_LOOK_SECONDS)

    async def once(self) -> int:
        """How many workspaces were due."""
        async with self._database.transaction() as connection:
            due = await store.expire(connection, self._days, _BATCH)
            if due:
                await outbox.state(connection, workspaces.EXPIRED, [_expired(each) for each in due])
        return len(due)


def _expired(due: store.Expired) -> workspaces.WorkspaceExpired:
    return workspaces.WorkspaceExpired(due.id, due.before)


async def runs_erased(connection: Connection, heard: list[Heard[runs.RunsErased]]) -> None:
    await effects.erase(connection, [(each.fact.workspace_id, id) for each in heard for id in each.fact.run_ids])


async def documents_erased(connection: Connection, heard: list[Heard[documents.DocumentsErased]]) -> None:
    await effects.erase(connection, [(each.fact.workspace_id, id) for each in heard for id in each.fact.document_ids])

"""Erasing: feedback goes with the runs that it is about. The counters of usage and analytics tell nothing of them, and
stay until the workspace goes.

What is heard is put down as an erasure, which is carried out in batches and again later (libs.postgres.erasures): so
feedback that was given at the same moment goes as well.
"""

from libs.bus.hear import Heard
from libs.contracts import runs, workspaces
from libs.postgres import erasures
from libs.postgres.database import Connection
from libs.postgres.erasures import Erasure, Kind
from services.feedback.store import erasing as store

_BATCH = 500


async def runs_erased(connection: Connection, heard: list[Heard[runs.RunsErased]]) -> None:
    for event in heard:
        await erasures.ask(connection, event.fact.workspace_id, Kind.RUNS, event.fact.run_ids)


async def workspace_deleted(connection: Connection, heard: list[Heard[workspaces.WorkspaceDeleted]]) -> None:
    for event in heard:
        await erasures.ask(connection, event.fact.workspace_id, Kind.WORKSPACE)


async def workspace_expired(connection: Connection, heard: list[Heard[workspaces.WorkspaceExpired]]) -> None:
    for event in heard:
        await erasures.expire(connection, event.fact.workspace_id, event.fact.before)


async def _runs(connection: Connection, erasure: Erasure) -> bool:
    return await store.of_runs(connection, erasure.workspace_id, erasure.ids, _BATCH) == _BATCH


async def _expired(connection: Connection, erasure: Erasure) -> bool:
    assert erasure.before is not None
    return await store.older(connection, erasure.workspace_id, erasure.before, _BATCH) == _BATCH


async def _workspace(connection: Connection, erasure: Erasure) -> bool:
    if await store.of_workspace(connection, erasure.workspace_id, _BATCH) == _BATCH:
        return True
    await store.counters(connection, erasure.workspace_id)
    return False


STEPS = {Kind.RUNS: _runs, Kind.EXPIRED: _expired, Kind.WORKSPACE: _workspace}

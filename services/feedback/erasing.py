"""Erasing: feedback goes with the runs that it is about. The counters of usage and analytics tell nothing of them, and
stay until the workspace goes.

What is heard is put down by libs.bus.erased, and these are the steps in which it is carried out, again later: so
feedback that was given at the same moment goes as well.
"""

from libs.postgres.database import Connection
from libs.postgres.erasures import Erasure, Kind
from services.feedback.store import erasing as store

BATCH = 500


async def _runs(connection: Connection, erasure: Erasure) -> bool:
    return await store.of_runs(connection, erasure.workspace_id, erasure.ids, BATCH) == BATCH


async def _expired(connection: Connection, erasure: Erasure) -> bool:
    assert erasure.before is not None
    return await store.older(connection, erasure.workspace_id, erasure.before, BATCH) == BATCH


async def _workspace(connection: Connection, erasure: Erasure) -> bool:
    if await store.of_workspace(connection, erasure.workspace_id, BATCH) == BATCH:
        return True
    await store.counters(connection, erasure.workspace_id)
    return False


STEPS = {Kind.RUNS: _runs, Kind.EXPIRED: _expired, Kind.WORKSPACE: _workspace}

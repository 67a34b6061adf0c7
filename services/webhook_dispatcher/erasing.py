"""Erasing: what was delivered or told of a run, a document or a contact goes with it, all of a workspace's with the
workspace.

What is heard is put down by libs.bus.erased, and these are the steps in which it is carried out, again later: so a
delivery whose event is heard after that of its end goes as well.
"""

from libs.postgres.database import Connection
from libs.postgres.erasures import Erasure, Kind
from services.webhook_dispatcher.store import erasing as store
from services.webhook_dispatcher.store import mail

_BATCH = 500


async def _about(connection: Connection, erasure: Erasure) -> bool:
    await store.notifications_about(connection, erasure.workspace_id, erasure.ids)
    return await store.about(connection, erasure.workspace_id, erasure.ids, _BATCH)


async def _expired(connection: Connection, erasure: Erasure) -> bool:
    assert erasure.before is not None
    await store.notifications(connection, erasure.workspace_id, erasure.before)
    await mail.erase(connection, erasure.workspace_id, erasure.before)
    return await store.older(connection, erasure.workspace_id, erasure.before, _BATCH)


async def _workspace(connection: Connection, erasure: Erasure) -> bool:
    await store.endpoints(connection, erasure.workspace_id)
    await store.notifications(connection, erasure.workspace_id)
    await mail.erase(connection, erasure.workspace_id)
    return await store.older(connection, erasure.workspace_id, None, _BATCH)


STEPS = {
    Kind.RUNS: _about,
    Kind.DOCUMENTS: _about,
    Kind.CONTACTS: _about,
    Kind.EXPIRED: _expired,
    Kind.WORKSPACE: _workspace,
}

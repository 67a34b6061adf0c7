"""Erasing: what was delivered or told of a run, a document or a contact goes with it, all of a workspace's with the
workspace.

What is heard is put down as an erasure, which is carried out in batches and again later (libs.postgres.erasures): so a
delivery whose event is heard after that of its end goes as well.
"""

from libs.bus.hear import Heard
from libs.contracts import contacts, documents, runs, workspaces
from libs.postgres import erasures
from libs.postgres.database import Connection
from libs.postgres.erasures import Erasure, Kind
from services.webhook_dispatcher.store import erasing as store

_BATCH = 500


async def runs_erased(connection: Connection, heard: list[Heard[runs.RunsErased]]) -> None:
    for event in heard:
        await erasures.ask(connection, event.fact.workspace_id, Kind.RUNS, event.fact.run_ids)


async def documents_erased(connection: Connection, heard: list[Heard[documents.DocumentsErased]]) -> None:
    for event in heard:
        await erasures.ask(connection, event.fact.workspace_id, Kind.DOCUMENTS, event.fact.document_ids)


async def contacts_erased(connection: Connection, heard: list[Heard[contacts.ContactsErased]]) -> None:
    for event in heard:
        await erasures.ask(connection, event.fact.workspace_id, Kind.CONTACTS, event.fact.contact_ids)


async def workspace_deleted(connection: Connection, heard: list[Heard[workspaces.WorkspaceDeleted]]) -> None:
    for event in heard:
        await erasures.ask(connection, event.fact.workspace_id, Kind.WORKSPACE)


async def workspace_expired(connection: Connection, heard: list[Heard[workspaces.WorkspaceExpired]]) -> None:
    for event in heard:
        await erasures.expire(connection, event.fact.workspace_id, event.fact.before)


async def _about(connection: Connection, erasure: Erasure) -> bool:
    await store.notifications_about(connection, erasure.workspace_id, erasure.ids)
    return await store.about(connection, erasure.workspace_id, erasure.ids, _BATCH)


async def _expired(connection: Connection, erasure: Erasure) -> bool:
    assert erasure.before is not None
    await store.notifications(connection, erasure.workspace_id, erasure.before)
    return await store.older(connection, erasure.workspace_id, erasure.before, _BATCH)


async def _workspace(connection: Connection, erasure: Erasure) -> bool:
    await store.endpoints(connection, erasure.workspace_id)
    await store.notifications(connection, erasure.workspace_id)
    return await store.older(connection, erasure.workspace_id, None, _BATCH)


STEPS = {
    Kind.RUNS: _about,
    Kind.DOCUMENTS: _about,
    Kind.CONTACTS: _about,
    Kind.EXPIRED: _expired,
    Kind.WORKSPACE: _workspace,
}

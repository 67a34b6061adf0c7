"""Erased: what a service does on hearing that something is no more, if it may have anything of it.

The rule: it is put down as an erasure, which is carried out in batches and again later (libs.postgres.erasures): so
what is written or heard after the word of the end goes as well.
"""

from libs.bus.hear import Heard
from libs.contracts import contacts, documents, runs, workspaces
from libs.postgres import erasures
from libs.postgres.database import Connection
from libs.postgres.erasures import Expired, Gone, Kind


async def of_runs(connection: Connection, heard: list[Heard[runs.RunsErased]]) -> None:
    gone = [Gone(each.fact.workspace_id, each.fact.run_ids) for each in heard]
    await erasures.ask(connection, Kind.RUNS, gone)


async def of_documents(connection: Connection, heard: list[Heard[documents.DocumentsErased]]) -> None:
    gone = [Gone(each.fact.workspace_id, each.fact.document_ids) for each in heard]
    await erasures.ask(connection, Kind.DOCUMENTS, gone)


async def of_contacts(connection: Connection, heard: list[Heard[contacts.ContactsErased]]) -> None:
    gone = [Gone(each.fact.workspace_id, each.fact.contact_ids) for each in heard]
    await erasures.ask(connection, Kind.CONTACTS, gone)


async def of_workspaces(connection: Connection, heard: list[Heard[workspaces.WorkspaceDeleted]]) -> None:
    await erasures.ask(connection, Kind.WORKSPACE, [Gone(each.fact.workspace_id) for each in heard])


async def of_expired(connection: Connection, heard: list[Heard[workspaces.WorkspaceExpired]]) -> None:
    await erasures.expire(connection, [Expired(each.fact.workspace_id, each.fact.before) for each in heard])

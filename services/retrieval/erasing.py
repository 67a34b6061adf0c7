"""Erasing: documents that are no more are told of, and a deleted workspace takes all that it knows with it.

Vectors and blobs follow as removals (removal.py).
"""

from collections.abc import Sequence
from uuid import UUID

from libs.contracts import documents
from libs.postgres import outbox
from libs.postgres.database import Connection
from libs.postgres.erasures import Erasure, Kind
from services.retrieval.store import documents as store
from services.retrieval.store import removals, uploads
from services.retrieval.store import workspaces as of_workspace

_BATCH = 500
_TOLD = 1000
# Uploads are in no context: no vectors are of this one.
_NOWHERE = UUID(int=0)


async def tell(connection: Connection, workspace_id: UUID, context_id: UUID, document_ids: Sequence[UUID]) -> None:
    facts = [
        documents.DocumentsErased(workspace_id, context_id, list(document_ids[start : start + _TOLD]))
        for start in range(0, len(document_ids), _TOLD)
    ]
    if facts:
        await outbox.state(connection, documents.ERASED, facts)


async def _workspace(connection: Connection, erasure: Erasure) -> bool:
    """The other services hear of the workspace themselves: nothing is stated of its documents."""
    workspace_id = erasure.workspace_id
    if blobs := await uploads.delete(connection, workspace_id, _BATCH):
        await removals.enqueue(connection, workspace_id, _NOWHERE, [], blobs)
        return True
    context_id = await of_workspace.a_context(connection, workspace_id)
    if context_id is None:
        return False
    gone = await store.delete_some(connection, workspace_id, context_id, _BATCH)
    if gone.documents:
        await removals.enqueue(connection, workspace_id, context_id, [each.id for each in gone.documents], gone.blobs)
    else:
        await of_workspace.end_context(connection, workspace_id, context_id)
        await removals.enqueue(connection, workspace_id, context_id, None, [])
    return True


STEPS = {Kind.WORKSPACE: _workspace}

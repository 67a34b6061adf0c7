"""Runs that were grounded in documents: what they show of them is taken out when the documents are erased."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
from msgspec import Struct

from libs.contracts import runs
from libs.postgres.database import Connection
from services.runner.store.runs import encoded


class Grounded(Struct, frozen=True):
    """A run that has ended. `frames` is the cut of its text."""

    id: UUID
    question: str
    prompt: list[runs.Message]
    frames: bytes
    sources: list[runs.Source]


async def find(connection: Connection, workspace_id: UUID, document_ids: Sequence[UUID], limit: int) -> list[Grounded]:
    """Those that still name one of the documents; they are locked."""
    rows = await connection.fetch(
        """SELECT id, question, prompt, frames, sources FROM runs
        WHERE workspace_id = $1 AND sources <> '[]'::jsonb
            AND jsonb_path_query_array(sources, '$[*].document_id') ?| $2::text[]
            AND EXISTS (
                SELECT FROM jsonb_array_elements(sources) AS source
                WHERE source ->> 'document_id' = ANY($2::text[]) AND source ->> 'name' <> ''
            )
            AND frames IS NOT NULL
        LIMIT $3 FOR UPDATE""",
        workspace_id,
        [str(id) for id in document_ids],
        limit,
    )
    return [msgspec.convert(dict(row), Grounded) for row in rows]


async def replace(connection: Connection, changed: Sequence[Grounded]) -> None:
    await connection.execute(
        """UPDATE runs SET prompt = given.prompt::jsonb, sources = given.sources::jsonb, frames = given.frames
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[]) AS given (id, prompt, sources, frames)
        WHERE runs.id = given.id""",
        [run.id for run in changed],
        [encoded(run.prompt) for run in changed],
        [encoded(run.sources) for run in changed],
        [run.frames for run in changed],
    )

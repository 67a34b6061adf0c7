"""Fine-tunes, as they are stored: for those who ask about them, and for whoever does their next step."""

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from libs.contracts import finetunes
from libs.postgres import text
from libs.postgres.database import Connection, Database
from services.runner.storable import storable
from services.runner.store.pages import one
from services.runner.store.tables import Table

TABLE = Table("finetunes", finetunes.Finetune, "fine-tune")

_CLAIM = """
WITH due AS (
    SELECT id FROM finetunes WHERE step IS NOT NULL AND due_at <= now() AND id <> ALL($3)
    AND (holder IS NULL OR holder = $1 OR holder <> ALL (ARRAY(SELECT name FROM leases WHERE until >= now())))
    ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE finetunes SET holder = $1, tries = tries + 1 FROM due WHERE finetunes.id = due.id
RETURNING finetunes.id, workspace_id, name, dataset_id, provider_id, base_model, job, step, file, tries
"""


class Due(Struct, frozen=True):
    """`step`: upload, start or follow. `tries` counts this one, of this step."""

    id: UUID
    workspace_id: UUID
    name: str
    dataset_id: UUID
    provider_id: UUID
    base_model: str
    job: str
    step: str
    file: str
    tries: int


class Step(Struct, frozen=True):
    """What a fine-tune is from now on; without a `step` it rests. What is None stays as it is; only without an `error`
    nothing is wrong any more.
    """

    status: str
    step: str | None
    seconds: float = 0.0
    file: str | None = None
    job: str | None = None
    finetuned: str | None = None
    model_id: UUID | None = None
    error: str | None = None


async def begin(connection: Connection, id: UUID, *, provider_id: UUID, base_model: str) -> bool:
    """False where it goes on already."""
    begun = await connection.fetchval(
        """UPDATE finetunes SET provider_id = $2, base_model = $3, status = 'uploading', step = 'upload', job = '',
            file = '', error = '', finetuned = '', model_id = NULL, holder = NULL, tries = 0, due_at = now(),
            updated_at = now()
        WHERE id = $1 AND step IS NULL RETURNING true""",
        id,
        provider_id,
        base_model,
    )
    return bool(begun)


async def claim(database: Database, holder: str, limit: int, busy: Sequence[UUID]) -> list[Due]:
    return [one(row, Due) for row in await database.fetch(_CLAIM, holder, limit, list(busy))]


async def go_on(database: Database, id: UUID, holder: str, to: Step) -> bool:
    """False where it is no longer the holder's."""
    to = storable(to)
    done = await database.execute(
        """UPDATE finetunes SET status = $3, step = $4, due_at = now() + $5 * interval '1 second', holder = NULL,
            tries = 0, file = coalesce($6, file), job = coalesce($7, job), finetuned = coalesce($8, finetuned),
            model_id = coalesce($9, model_id), error = coalesce($10, ''), updated_at = now()
        WHERE id = $1 AND holder = $2 AND step IS NOT NULL""",
        id,
        holder,
        to.status,
        to.step,
        to.seconds,
        to.file,
        to.job,
        to.finetuned,
        to.model_id,
        to.error,
    )
    return done.endswith("1")


async def is_there(database: Database, id: UUID) -> bool:
    return await database.fetchval("SELECT EXISTS (SELECT FROM finetunes WHERE id = $1)", id)


async def postpone(database: Database, id: UUID, holder: str, *, seconds: float, error: str) -> None:
    """The step is taken again after so long; until then `error` is what was wrong with it."""
    await database.execute(
        """UPDATE finetunes SET holder = NULL, due_at = now() + $3 * interval '1 second', error = $4
        WHERE id = $1 AND holder = $2""",
        id,
        holder,
        seconds,
        text.clean(error),
    )


async def provider(database: Database, workspace_id: UUID) -> UUID | None:
    """The workspace's own that fine-tunes where none is named: its default one, or its first."""
    return await database.fetchval(
        """SELECT id FROM providers WHERE workspace_id = $1 AND kind = 'openai'
        ORDER BY "default" DESC, created_at, id LIMIT 1""",
        workspace_id,
    )

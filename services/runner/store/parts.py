"""The frames of runs that go on, as far as they were written: what outlives a killed runner."""

from uuid import UUID

import msgspec
from msgspec import Struct

from libs.contracts import feed
from libs.postgres.database import Connection, Database

_raws = msgspec.msgpack.Decoder(list[msgspec.Raw])
_encoder = msgspec.msgpack.Encoder()


class Part(Struct, frozen=True):
    """Consecutive frames of one attempt."""

    run_id: UUID
    attempt: int
    frames: list[feed.Frame]


async def append(connection: Connection, holder: str, parts: list[Part]) -> set[UUID]:
    """The ids of the runs that go on with this holder: only to those something is added.

    Such a run can't end meanwhile, so that its end finds all its parts, and deletes them.
    """
    rows = await connection.fetch(
        """WITH mine AS (
            SELECT id, attempt FROM runs WHERE id = ANY($2) AND holder = $1 AND status = 'running' ORDER BY id FOR SHARE
        )
        INSERT INTO run_parts (run_id, attempt, first, frames)
        SELECT given.*
        FROM unnest($2::uuid[], $3::int[], $4::int[], $5::bytea[]) AS given (run_id, attempt, first, frames)
        JOIN mine ON mine.id = given.run_id AND mine.attempt = given.attempt
        RETURNING run_id""",
        holder,
        [part.run_id for part in parts],
        [part.attempt for part in parts],
        [part.frames[0].n for part in parts],
        [_encoder.encode(part.frames) for part in parts],
    )
    return {row["run_id"] for row in rows}


async def of(database: Database, run_id: UUID, attempt: int) -> list[feed.Frame]:
    """A newer version may have written frames of kinds that this one does not know."""
    rows = await database.fetch(
        "SELECT frames FROM run_parts WHERE run_id = $1 AND attempt = $2 ORDER BY first", run_id, attempt
    )
    return [feed.FEED.unpack(bytes(raw)) for row in rows for raw in _raws.decode(row["frames"])]


async def delete(connection: Connection, run_ids: list[UUID]) -> None:
    await connection.execute("DELETE FROM run_parts WHERE run_id = ANY($1)", run_ids)

"""The frames of runs that go on, as far as they were written: what outlives a killed runner."""

from uuid import UUID

import msgspec
from msgspec import Struct

from libs.contracts import runs
from libs.postgres.database import Connection, Database

_frames = msgspec.msgpack.Decoder(list[runs.Frame])
_encoder = msgspec.msgpack.Encoder()


class Part(Struct, frozen=True):
    """Consecutive frames of one attempt."""

    run_id: UUID
    attempt: int
    frames: list[runs.Frame]


async def append(connection: Connection, parts: list[Part]) -> None:
    await connection.execute(
        """INSERT INTO run_parts (run_id, attempt, first, frames)
        SELECT * FROM unnest($1::uuid[], $2::int[], $3::int[], $4::bytea[]) ON CONFLICT DO NOTHING""",
        [part.run_id for part in parts],
        [part.attempt for part in parts],
        [part.frames[0].n for part in parts],
        [_encoder.encode(part.frames) for part in parts],
    )


async def of(database: Database, run_id: UUID, attempt: int) -> list[runs.Frame]:
    rows = await database.fetch(
        "SELECT frames FROM run_parts WHERE run_id = $1 AND attempt = $2 ORDER BY first", run_id, attempt
    )
    return [frame for row in rows for frame in _frames.decode(row["frames"])]


async def delete(connection: Connection, run_ids: list[UUID]) -> None:
    await connection.execute("DELETE FROM run_parts WHERE run_id = ANY($1)", run_ids)

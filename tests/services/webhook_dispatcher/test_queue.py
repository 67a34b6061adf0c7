"""Who is next in the queue."""

from collections import Counter
from uuid import UUID

import pytest
import pytest_asyncio

from libs.contracts import ids
from libs.postgres.database import Database
from libs.postgres.migrate import migrate
from services.webhook_dispatcher import metrics
from services.webhook_dispatcher.room import Limits, Place, Room
from services.webhook_dispatcher.store import claims, in_order
from services.webhook_dispatcher.store.claims import Asked, Claimed
from services.webhook_dispatcher.turns import Turns

pytestmark = pytest.mark.asyncio

_QUEUE = """
    INSERT INTO queue (delivery_id, workspace_id, endpoint_id, event_id, event, due_at)
    SELECT gen_random_uuid(), $1, $2, gen_random_uuid(), 'test.ping', now() - make_interval(secs => $4 + 60 - n)
    FROM generate_series(1, $3::int) AS n
"""


@pytest_asyncio.fixture(loop_scope="session")
async def database(databases):
    database = await Database.connect(databases.dsn("webhook_dispatcher"), schema="webhook_dispatcher")
    await migrate(database, "services.webhook_dispatcher")
    await database.execute("DELETE FROM queue")
    yield database
    await database.execute("DELETE FROM queue")
    await database.close()


async def waiting(database: Database, workspace: UUID, count: int, *, since: float = 0.0) -> UUID:
    """A new endpoint, with so many deliveries that have been due for so many seconds and more."""
    endpoint = ids.new()
    await database.execute(
        "INSERT INTO endpoints (id, workspace_id, url, events, description, secret) VALUES ($1, $2, '', '{*}', '', '')",
        endpoint,
        workspace,
    )
    await database.execute(_QUEUE, workspace, endpoint, count, since)
    return endpoint


async def claimed(database: Database, room: Room, turns: Turns, *, slow: bool = False) -> list[Claimed]:
    batch = await claims.in_turn(database, room, turns, Asked(slow, room.free(slow=slow), 15))
    for each in batch.claimed:
        room.take(Place(each.target.id, each.workspace_id, slow))
    return batch.claimed


async def test_each_workspace_has_its_turn_however_long_another_has_waited(database):
    large, small = ids.new(), ids.new()
    busy = [await waiting(database, large, 40, since=3600) for _ in range(5)]
    quiet = await waiting(database, small, 1)
    found = await claimed(database, Room(Limits(10, 8, 10, 80)), Turns(64))
    places = Counter(each.target.id for each in found)
    assert places == {quiet: 1} | dict.fromkeys(busy, 1)


async def test_each_endpoint_of_a_workspace_has_its_turn(database):
    workspace = ids.new()
    busy = await waiting(database, workspace, 100, since=3600)
    quiet = [await waiting(database, workspace, 1) for _ in range(3)]
    found = await claimed(database, Room(Limits(8, 8, 8, 64)), Turns(64))
    assert Counter(each.target.id for each in found) == {busy: 2} | dict.fromkeys(quiet, 1)


async def test_those_that_a_claim_does_not_come_to_come_first_in_the_next(database):
    workspaces = sorted(ids.new() for _ in range(5))
    for workspace in workspaces:
        for _ in range(3):
            await waiting(database, workspace, 9)
    turns, seen = Turns(2), Counter[UUID]()
    for _ in range(9):
        found = await claimed(database, Room(Limits(2, 2, 2, 16)), turns)
        seen.update(each.target.id for each in found)
    assert len(seen) == 15
    assert max(seen.values()) == 2


async def test_of_an_endpoint_the_longest_due_go_first_and_no_more_than_there_is_room_for(database):
    workspace = ids.new()
    endpoint = await waiting(database, workspace, 20)
    room = Room(Limits(16, 4, 16, 128))
    first = {each.id for each in await claimed(database, room, Turns(64))}
    assert await claimed(database, room, Turns(64)) == []
    order = await database.fetch("SELECT delivery_id FROM queue WHERE endpoint_id = $1 ORDER BY due_at", endpoint)
    assert first == {row["delivery_id"] for row in order[:4]}


async def test_what_there_is_no_room_for_hides_nothing_behind_it(database):
    workspace = ids.new()
    full = [await waiting(database, workspace, 5, since=60) for _ in range(12)]
    room = Room(Limits(64, 2, 64, 512))
    for endpoint in full:
        for _ in range(2):
            room.take(Place(endpoint, workspace, slow=False))
    last = await waiting(database, workspace, 5)
    assert {each.target.id for each in await claimed(database, room, Turns(64))} == {last}


async def test_of_those_that_are_named_alone_something_is_claimed_wherever_they_stand(database):
    for _ in range(5):
        await waiting(database, ids.new(), 5, since=60)
    workspace = ids.new()
    for _ in range(20):
        await waiting(database, workspace, 5, since=60)
    trusted = await waiting(database, workspace, 9)
    named = [(workspace, trusted), (workspace, ids.new())]
    batch = await claims.among(database, Room(Limits(8, 8, 8, 64)), named, Asked(slow=False, most=8, seconds=15))
    assert [each.target.id for each in batch.claimed] == [trusted] * 8
    assert batch.more


async def test_those_that_are_named_get_no_more_than_their_workspace_may_have(database):
    workspace = ids.new()
    named = [(workspace, await waiting(database, workspace, 5)) for _ in range(6)]
    asked = Asked(slow=False, most=8, seconds=15)
    batch = await claims.among(database, Room(Limits(8, 8, 3, 64)), named, asked)
    assert [each.target.id for each in batch.claimed] == [id for _, id in named[:3]]


async def test_workspaces_whose_endpoints_have_no_room_hide_none_behind_them(database):
    room, turns = Room(Limits(64, 1, 64, 512)), Turns(2)
    for workspace in sorted(ids.new() for _ in range(6)):
        room.take(Place(await waiting(database, workspace, 3), workspace, slow=False))
    last = await waiting(database, UUID(int=2**128 - 1), 1)
    found = [await claimed(database, room, turns) for _ in range(4)]
    assert [each.target.id for some in found for each in some] == [last]


async def test_what_is_for_endpoints_that_fail_goes_to_the_other_lane(database):
    workspace = ids.new()
    dead, healthy = await waiting(database, workspace, 3, since=60), await waiting(database, workspace, 3)
    await database.execute("UPDATE endpoints SET failing_since = now() WHERE id = $1", dead)
    room, turns = Room(Limits(64, 8, 64, 512)), Turns(64)
    assert {each.target.id for each in await claimed(database, room, turns)} == {healthy}
    assert [each.target.id for each in await claimed(database, room, turns, slow=True)] == [dead]


async def test_lines_that_are_held_up_hide_none_behind_them(database):
    workspace = ids.new()
    held = [await waiting(database, workspace, 3) for _ in range(4)]
    await database.execute("UPDATE queue SET ordered = true, due_at = due_at + interval '1 hour'")
    last = await waiting(database, workspace, 3)
    await database.execute("UPDATE queue SET ordered = true WHERE endpoint_id = $1", last)
    after, found = UUID(int=0), list[UUID]()
    for _ in range(len(held)):
        page = await in_order.find(database, after=after, most=2)
        found += [each.endpoint_id for each in page.waiting]
        after = page.reached or UUID(int=0)
        if page.reached is None:
            break
    assert found == [last]


async def test_what_is_due_is_counted_without_what_waits_for_its_time_its_turn_or_its_receiver(database):
    workspace = ids.new()
    plain, later, failing, in_order = [await waiting(database, workspace, 4, since=60) for _ in range(4)]
    for endpoint, change in ((later, "waits = true"), (failing, "slow = true"), (in_order, "ordered = true")):
        await database.execute(f"UPDATE queue SET {change} WHERE endpoint_id = $1", endpoint)
    due, seconds, behind, _ = await metrics.queue(database).look()
    assert (due, behind) == (4, 4)
    assert 60 <= seconds < 180
    await database.execute("DELETE FROM queue WHERE endpoint_id = $1", plain)
    assert [*await metrics.queue(database).look()][:2] == [0, 0]


async def test_a_backlog_is_claimed_as_quickly_by_plans_that_were_made_when_there_was_none(database):
    """Rows looked at, not time: a plan that reads the whole queue for each row would read half a million."""
    room, turns = Room(Limits(64, 8, 64, 512)), Turns(64)
    await database.execute("VACUUM ANALYZE queue")
    for _ in range(10):
        await claimed(database, room, turns)
        await in_order.find(database, after=UUID(int=0), most=64)
    workspace = ids.new()
    for _ in range(10):
        await waiting(database, workspace, 2000)
    before = await _read(database)
    assert len(await claimed(database, room, turns)) == 60
    assert (await in_order.find(database, after=UUID(int=0), most=64)).waiting == []
    assert await _read(database) - before < 2000


async def _read(database: Database) -> int:
    """Rows of the queue read so far, by scans of it or of its indexes."""
    await database.execute("SELECT pg_stat_force_next_flush()")
    return await database.fetchval(
        """
        SELECT (SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'queue' AND schemaname = current_schema())
             + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes
                WHERE relname = 'queue' AND schemaname = current_schema())
        """
    )

"""Events with more endpoints than are taken at a time."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

import pytest
from msgspec import structs

from libs.contracts import feedback, ids
from libs.runtime.service import Service
from services.webhook_dispatcher import payloads
from services.webhook_dispatcher.store import erasing, fan_outs
from tests.services.webhook_dispatcher.conftest import rated
from tests.support import endpoints
from tests.support.calling import state
from tests.support.receiver import receiver
from tests.support.services import running

pytestmark = pytest.mark.asyncio

MANY = 2500


class Killed(Exception):
    """What ends a transaction before its commit."""


async def listening(service: Service, workspace: UUID, count: int) -> list[UUID]:
    """Endpoints that things are logged for, and nothing sent to."""
    made = await endpoints.make(service.database, workspace, [""] * count)
    await service.database.execute("UPDATE endpoints SET status = 'listening' WHERE workspace_id = $1", workspace)
    return made


async def logged(service: Service, workspace: UUID) -> list[UUID]:
    rows = await service.database.fetch("SELECT endpoint_id FROM deliveries WHERE workspace_id = $1", workspace)
    return sorted(row["endpoint_id"] for row in rows)


async def test_a_large_fan_out_reaches_each_endpoint_once_whoever_dies_and_however_many_are_at_it(dispatcher):
    workspace, database = ids.new(), dispatcher.database
    made = await endpoints.make(dispatcher.database, workspace, ["http://127.0.0.1:9/"] * MANY)
    active = made[::100]
    await database.execute("UPDATE endpoints SET status = 'listening' WHERE id = ANY($1)", [*{*made} - {*active}])
    message = payloads.feedback_created(ids.new(), datetime.now(UTC), rated(workspace))
    async with database.transaction() as connection:
        assert (await fan_outs.begin(connection, [message])).remains
    first = await logged(dispatcher, workspace)
    with suppress(Killed):
        async with database.transaction() as connection:
            await fan_outs.go_on(connection)
            raise Killed
    assert first == sorted(made)[: len(first)]
    assert 0 < len(first) <= len(await logged(dispatcher, workspace))

    async def help_along() -> None:
        remains = True
        while remains:
            async with database.transaction() as connection:
                remains = (await fan_outs.go_on(connection)).remains

    async with asyncio.timeout(60):
        while await logged(dispatcher, workspace) != sorted(made):
            await asyncio.gather(help_along(), help_along())
    assert not await database.fetchval("SELECT count(*) FROM fan_outs WHERE workspace_id = $1", workspace)
    sent = await database.fetch("SELECT endpoint_id FROM queue WHERE workspace_id = $1", workspace)
    assert sorted(row["endpoint_id"] for row in sent) == sorted(active)


async def test_an_event_with_thousands_of_endpoints_holds_up_none_behind_it(bus, dispatcher, subscribe):
    large, small = ids.new(), ids.new()
    await listening(dispatcher, large, MANY)
    async with receiver() as r:
        await subscribe(small, r.url)
        await state(bus, feedback.CREATED, *[rated(large) for _ in range(8)])
        await state(bus, feedback.CREATED, rated(small))
        await r.wait(1)
        assert len(await logged(dispatcher, large)) < 8 * MANY
    async with asyncio.timeout(90):
        while True:
            if len(await logged(dispatcher, large)) == 8 * MANY:
                break
            await asyncio.sleep(0.1)


async def test_what_is_erased_takes_the_rest_of_its_fan_out_along_however_many_deliveries_it_had(nats_url, databases):
    async with running("webhook_dispatcher", nats_url, databases) as service:
        workspace, rating = ids.new(), rated(ids.new())
        await listening(service, workspace, MANY)
        fact = structs.replace(rating, workspace_id=workspace)
        async with service.database.transaction() as connection:
            await fan_outs.begin(connection, [payloads.feedback_created(ids.new(), datetime.now(UTC), fact)])
        more = True
        while more:
            async with service.database.transaction() as connection:
                more = await erasing.about(connection, workspace, [rating.run_id], 500)
        await asyncio.sleep(0.1)
        assert await logged(service, workspace) == []
        for table, which in (("payloads", "about = $2"), ("fan_outs", "workspace_id = $1")):
            left = f"SELECT count(*) FROM {table} WHERE {which} AND $1 <> $2"
            assert await service.database.fetchval(left, workspace, rating.run_id) == 0

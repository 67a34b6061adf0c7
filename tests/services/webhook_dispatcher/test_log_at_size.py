"""The log is as quick to read when it is long."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from libs.contracts import ids
from libs.postgres.database import Database
from libs.postgres.migrate import migrate
from services.webhook_dispatcher.store import deliveries
from tests.support import delivery_log

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]

A_DAY, DAYS = 20_000, 10


async def test_the_last_fifty_of_a_webhook_take_fifty_milliseconds_at_most(databases):
    """Of 400,000 rows here; bench/delivery_log.py asks the same of ten million."""
    database = await Database.connect(databases.dsn("webhook_dispatcher"), schema="webhook_dispatcher")
    await migrate(database, "services.webhook_dispatcher")
    busy, rare = [ids.new() for _ in range(100)], ids.new()
    first, *others = delivery_log.days_before(datetime.now(UTC).date(), DAYS + 1)
    await delivery_log.fill(database, ids.new(), [rare], days=[first], a_day=50)
    await delivery_log.fill(database, ids.new(), busy, days=others, a_day=A_DAY)
    for webhook in (busy[0], rare):
        taken: list[float] = []
        for _ in range(21):
            began = time.perf_counter()
            found = await deliveries.latest(database, webhook, 50, born=datetime.now(UTC) - timedelta(days=30))
            taken.append(time.perf_counter() - began)
            assert [len(delivery.attempts) for delivery in found] == [1] * 50
            assert found == sorted(found, key=lambda delivery: delivery.id, reverse=True)
        assert min(taken) <= 0.05, "the machine may have other work"
    await database.close()

"""How long the last fifty deliveries of a webhook take, with their attempts, in a log of many million rows.

`python -m bench.delivery_log --rows 10000000`: so many rows of deliveries and attempts together, over 30 days and 1,000
webhooks, and one webhook more to which next to nothing is sent.
"""

import argparse
import asyncio
import time
from datetime import UTC, datetime, timedelta
from statistics import median
from uuid import UUID

from libs.contracts import ids
from libs.postgres.database import Database
from libs.postgres.migrate import migrate
from services.webhook_dispatcher.store import deliveries
from tests.support import delivery_log, servers

DAYS, WEBHOOKS, ASKED = 30, 1000, 50


async def main(rows: int) -> None:
    with servers.postgres_server() as admin:
        async with servers.database(admin) as databases:
            database = await Database.connect(databases.dsn("webhook_dispatcher"), schema="webhook_dispatcher")
            await migrate(database, "services.webhook_dispatcher")
            webhooks, rare = [ids.new() for _ in range(WEBHOOKS)], ids.new()
            days = delivery_log.days_before(datetime.now(UTC).date(), DAYS)
            await delivery_log.fill(database, ids.new(), [rare], days=days[:1], a_day=60)
            began = time.perf_counter()
            await delivery_log.fill(database, ids.new(), webhooks, days=days[1:], a_day=rows // 2 // (DAYS - 1))
            print(f"{rows:,} rows in {time.perf_counter() - began:.0f} s")
            for name, asked in (("a busy webhook", webhooks[:ASKED]), ("a rare one", [rare] * ASKED)):
                taken = sorted([await _latest(database, webhook) for webhook in asked])
                print(f"the last 50 of {name}: p50 {median(taken):.1f} ms, most {taken[-1]:.1f} ms")
            await database.close()


async def _latest(database: Database, webhook: UUID) -> float:
    began = time.perf_counter()
    found = await deliveries.latest(database, webhook, 50, born=datetime.now(UTC) - timedelta(days=DAYS))
    assert len(found) == 50
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    given = argparse.ArgumentParser()
    given.add_argument("--rows", type=int, default=1_000_000)
    asyncio.run(main(given.parse_args().rows))

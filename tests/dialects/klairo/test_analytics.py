"""KlairoAI's analytics: figures in its shape, and whom it has none for."""

from datetime import UTC, date, datetime, timedelta

import pytest

from libs.contracts import analytics
from libs.contracts.analytics import Day
from services.gateway.plans import plans
from services.gateway.plans.store import Own, Put
from tests.services.gateway.peers import Reply

pytestmark = pytest.mark.asyncio

ROOTS = ["/api/analytics", "/v1/analytics", "/klairo/api/analytics", "/klairo/v1/analytics"]
MARCH = [
    Day(date(2026, 3, 9), chat_messages=2, api_calls=7, webhooks_delivered=4),
    Day(date(2026, 3, 11), 63, 11, 2, 98, 5),
]


def today() -> date:
    return datetime.now(UTC).date()


@pytest.mark.parametrize("path", ROOTS)
async def test_it_answers_at_both_roots_in_the_shape_of_the_page(door, path):
    await door.peers.answer(analytics.OF, MARCH)
    answer = await door.call("GET", f"{path}?period=month&from=2026-03-01")
    assert answer.status == 200
    told = answer.json
    assert list(told) == ["period", "from", "to", "summary", "daily", "quota"]
    assert (told["period"], told["from"], told["to"]) == ("month", "2026-03-01", "2026-03-31")
    assert told["summary"] == {
        "chat_messages": 65,
        "automation_runs": 11,
        "contacts_created": 2,
        "api_calls": 105,
        "webhooks_delivered": 9,
    }
    assert [day["date"] for day in told["daily"]][:3] == ["2026-03-01", "2026-03-02", "2026-03-03"]
    assert told["daily"][10] == {
        "date": "2026-03-11",
        "chat_messages": 63,
        "automation_runs": 11,
        "contacts_created": 2,
        "api_calls": 98,
    }
    assert told["quota"] == {
        "plan": "enterprise",
        "chat_limit_daily": None,
        "chat_used_today": 0,
        "api_limit_per_minute": 600_000,
    }


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("period=year", 400, "day, week or month"),
        ("from=March", 400, "from: Expected a date"),
        ("to=2026-02-30", 400, "to: Expected a date"),
        ("from=2020-01-01&to=2026-01-01", 400, "366 days"),
        ("from=2026-03-02&to=2026-03-01", 422, "ends before it begins"),
    ],
)
async def test_what_is_no_range_is_refused(door, query, status, said):
    answer = await door.call("GET", f"/api/analytics?{query}")
    assert (answer.status, answer.json["error"]["status"]) == (status, status)
    assert said in answer.json["error"]["message"]


async def test_days_to_come_are_in_the_range_and_not_in_the_list(door):
    await door.peers.answer(analytics.OF, [])
    answer = await door.call("GET", f"/api/analytics?from={today()}&to={today() + timedelta(days=5)}")
    assert [day["date"] for day in answer.json["daily"]] == [today().isoformat()]
    assert not any(answer.json["summary"].values())


async def test_the_free_plan_has_none(door):
    async def put_on(name: str) -> Reply:
        async with door.service.database.transaction() as connection:
            put = Put(await plans.find(connection, name), Own(requests_per_minute=1000, api_calls_per_month=None))
            await plans.change(connection, door.workspace_id, put)
        await door.service.changes.read()
        return await door.call("GET", "/api/analytics")

    await door.peers.answer(analytics.OF, [])
    refused = await put_on("free")
    assert (refused.status, refused.json["error"]["code"]) == (403, "FORBIDDEN")
    assert (await put_on("starter")).status == 200


async def test_nobody_has_them_without_a_key(door):
    assert (await door.call("GET", "/klairo/api/analytics", key=None)).status == 401

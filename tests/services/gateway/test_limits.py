"""Limits at the door: every voice refuses what is over one in its own words, and every answer says how it stands."""

import asyncio
import time

import pytest
import pytest_asyncio

from libs.contracts import actions, apps
from libs.contracts.limits import Kind
from services.gateway.limits import windows
from tests.dialects.klairo.signing_in import account, login, token
from tests.dialects.klu import examples
from tests.services.gateway.counting import workspace
from tests.services.gateway.peers import Door, Reply, new_key, opened

pytestmark = pytest.mark.asyncio

OF_A_STRANGER = 300

# One route of each voice, and where its error says what is wrong.
VOICES = [
    ("GET", "/klu/v1/workspaces", lambda body: body["message"]),
    ("POST", "/klisk/api/chat/none/cancel", lambda body: body["error"]),
    ("GET", "/klairo/api/contacts", lambda body: body["error"]["message"]),
    ("GET", "/llmstack/api/apps", lambda body: body["detail"]),
    ("GET", "/openai/v1/models", lambda body: body["error"]["message"]),
]
ASKING = [
    ("/klu/v1/actions", {"action": str(examples.ACTION), "input": "Why?"}),
    ("/klairo/v1/chat", {"message": "Why?"}),
    ("/klisk/api/chat", {"message": "Why?"}),
    ("/openai/v1/chat/completions", {"model": "default", "messages": [{"role": "user", "content": "Why?"}]}),
    ("/openai/v1/responses", {"model": "default", "input": "Why?"}),
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def door(nats_url, databases):
    async with opened(nats_url, databases, address_requests_per_minute=OF_A_STRANGER) as door:
        yield door


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def within_a_minute():
    """A window that ends within a test would begin anew."""
    left = 60 - time.time() % 60
    if left < 10:
        await asyncio.sleep(left)


async def key_of(door: Door, name: str, **figures) -> str:
    made = await new_key(door.service, name)
    await workspace(door.service.database, name, **figures)
    return made.secret


def standing(answer: Reply) -> tuple[int, int, int]:
    limit, left, ends = (int(answer.headers[f"X-RateLimit-{name}"]) for name in ("Limit", "Remaining", "Reset"))
    return limit, left, ends


@pytest.mark.parametrize(("method", "path", "message"), VOICES)
async def test_every_voice_refuses_what_is_over_the_limit_in_its_own_words(door, method, path, message):
    key = await key_of(door, f"Minute {path}", requests_per_minute=2)
    for left in (1, 0):
        answer = await door.call(method, path, key=key)
        assert answer.status != 429
        assert standing(answer) == (2, left, windows.window(Kind.REQUESTS, time.time())[1])
    refused = await door.call(method, path, key=key)
    assert refused.status == 429
    assert message(refused.json) == "This workspace has used up its plan's requests a minute (2): try again later."
    limit, left, ends = standing(refused)
    assert (limit, left) == (2, 0)
    assert 0 <= ends - time.time() - int(refused.headers["Retry-After"]) + 1 <= 2


async def test_klairo_says_when_to_come_again_in_the_body_as_well(door):
    key = await key_of(door, "Envelope", requests_per_minute=1)
    await door.call("GET", "/api/contacts", key=key)
    refused = await door.call("GET", "/api/contacts", key=key)
    error = refused.json["error"]
    assert (error["code"], error["status"]) == ("RATE_LIMIT_EXCEEDED", 429)
    assert error["retry_after"] == int(refused.headers["Retry-After"])


async def test_one_limit_holds_over_all_voices(door):
    key = await key_of(door, "All voices", requests_per_minute=len(VOICES) - 1)
    statuses = [(await door.call(method, path, key=key)).status for method, path, _ in VOICES]
    assert statuses[-1] == 429
    assert 429 not in statuses[:-1]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/v1/workspaces", 401),
        ("GET", "/api/contacts", 401),
        ("GET", "/openai/v1/models", 401),
        ("GET", "/llmstack/api/apps", 403),
        ("GET", "/nothing/here", 404),
        ("DELETE", "/api/auth/login", 405),
        ("OPTIONS", "/klisk/api/chat", 200),
    ],
)
async def test_a_request_that_is_nobody_s_counts_for_its_address(door, method, path, status):
    before = await door.call("GET", "/nothing", key=None)
    answer = await door.call(method, path, key=None)
    assert answer.status == status
    limit, left, _ = standing(answer)
    assert (limit, left) == (OF_A_STRANGER, standing(before)[1] - 1)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/api/auth/login", 400),
        ("GET", "/klu/v1/stream/no-such-right", 200),
        ("GET", "/klisk/widget.js", 200),
        ("GET", "/health", 200),
    ],
)
async def test_what_needs_no_key_only_shows_the_window_of_its_address(door, method, path, status):
    before = await door.call("GET", "/nothing", key=None)
    answer = await door.call(method, path, key=None)
    assert (answer.status, standing(answer)) == (status, standing(before))


async def test_pages_of_other_origins_may_read_how_it_stands(door):
    answer = await door.call("GET", "/klisk/api/info", headers={"Origin": "https://shop.example"})
    exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After"} <= set(exposed)


async def test_an_installation_starts_without_limits_but_for_many_requests_a_minute(door):
    key = (await new_key(door.service, "As it came")).secret
    first = standing(await door.call("GET", "/v1/workspaces", key=key))
    assert first[0] == 600_000
    assert standing(await door.call("GET", "/v1/workspaces", key=key))[1] == first[1] - 1
    await account(door, "me@example.test", workspace="As it came")
    held = (await login(door, "me@example.test")).json["token"]
    me = await door.call("GET", "/api/users/me", key=held)
    assert me.json["quota"] == {"chat_limit_daily": None, "api_limit_per_minute": 600_000, "automations_max": None}


async def test_what_is_refused_for_the_month_uses_nothing_of_the_minute(door):
    key = await key_of(door, "Spent", api_calls_per_month=2, requests_per_minute=5)
    answers = [await door.call("GET", "/v1/workspaces", key=key) for _ in range(9)]
    assert [answer.status for answer in answers] == [200] * 2 + [429] * 7
    assert {standing(answer)[0] for answer in answers[2:]} == {2}
    await workspace(door.service.database, "Spent", api_calls_per_month=None, requests_per_minute=5)
    await door.service.changes.read()
    asked = await door.call("GET", "/v1/workspaces", key=key)
    assert (asked.status, standing(asked)[:2]) == (200, (5, 2))


async def test_calls_with_a_key_are_counted_by_the_month_and_those_of_who_is_logged_in_are_not(door):
    key = await key_of(door, "Monthly", api_calls_per_month=3)
    for used in (1, 2, 3):
        told = (await door.call("GET", "/api/keys?action=validate", key=key)).json
        assert (told["usage"], told["limit"], told["plan"]) == (used, 3, "growth")
    refused = await door.call("GET", "/v1/workspaces", key=key)
    assert refused.status == 429
    assert "plan's requests with an API key a month (3)" in refused.json["message"]
    assert standing(refused) == (3, 0, windows.window(Kind.API_CALLS, time.time())[1])

    held = await token(door, "monthly@example.test")
    await workspace(door.service.database, "Test", api_calls_per_month=0)
    await door.service.changes.read()
    assert (await door.call("GET", "/v1/workspaces")).status == 429
    assert (await door.call("GET", "/api/contacts", key=held)).status == 200
    await workspace(door.service.database, "Test", api_calls_per_month=None, requests_per_minute=600_000)
    await door.service.changes.read()


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(("path", "body"), ASKING)
async def test_a_message_over_the_day_s_quota_is_refused_before_anything_begins(door, path, body, streams):
    await door.peers.answer(actions.FIND, examples.action)
    await door.peers.answer(actions.GET, examples.action)
    await door.peers.answer(actions.OF, [examples.action])
    await door.peers.answer(apps.FIND, examples.app)
    key = await key_of(door, f"Quota {path} {streams}", chat_messages_per_day=0)
    refused = await door.call("POST", path, body | {"stream": streams}, key=key)
    assert refused.status == 429, refused.text
    assert "plan's chat messages a day (0)" in refused.text
    assert standing(refused) == (0, 0, windows.window(Kind.CHAT_MESSAGES, time.time())[1])
    wait = int(refused.headers["Retry-After"])
    assert wait <= 86_400
    if path.startswith("/openai") and wait > 60:
        assert refused.headers["x-should-retry"] == "false"


async def test_a_request_that_is_answered_again_by_its_idempotency_key_is_counted_and_a_refused_one_is_done_later(door):
    key = await key_of(door, "Repeating", requests_per_minute=2)
    headers = {"Idempotency-Key": "one"}
    body = {"name": "Ann", "email": "ann@example.test"}
    first = await door.call("POST", "/api/contacts", body, key=key, headers=headers)
    again = await door.call("POST", "/api/contacts", body, key=key, headers=headers)
    assert (first.status, again.json) == (201, first.json)
    assert (standing(first)[1], standing(again)[1]) == (1, 0)
    late = {"Idempotency-Key": "two"}
    assert (await door.call("POST", "/api/contacts", {"name": "Bob"}, key=key, headers=late)).status == 429
    await workspace(door.service.database, "Repeating", requests_per_minute=100)
    await door.service.changes.read()
    assert (await door.call("POST", "/api/contacts", {"name": "Bob"}, key=key, headers=late)).status == 201


async def test_an_address_without_a_key_is_refused_when_it_asks_too_often(nats_url, databases):
    async with opened(nats_url, databases, address_requests_per_minute=3) as door:
        for _ in range(3):
            assert (await door.call("GET", "/v1/workspaces", key="pv_nothing")).status == 401
        refused = await door.call("GET", "/v1/workspaces", key="pv_nothing")
        assert (refused.status, refused.json["error"]) == (429, "RATE_LIMITED")
        assert int(refused.headers["Retry-After"]) <= 60
        assert (await door.call("GET", "/health", key=None)).status == 200
        assert (await door.call("GET", "/v1/workspaces")).status == 200, "who has a key is not held up by others"


async def test_two_gateways_let_in_together_what_a_plan_allows(nats_url, databases):
    async with opened(nats_url, databases) as one, opened(nats_url, databases) as other:
        key = await key_of(one, "Both", requests_per_minute=200)
        # Each knows of the other by then.
        await asyncio.sleep(2)
        calls = [door.call("GET", "/v1/workspaces", key=key) for door in (one, other) for _ in range(150)]
        statuses = [answer.status for answer in await asyncio.gather(*calls)]
        assert set(statuses) == {200, 429}
        assert 198 <= statuses.count(200) <= 200

"""Idempotency keys at the door, where the other services answer as the test says. Whole stories: tests/journeys."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from libs.contracts import apps, contexts, documents, ids, runs
from libs.contracts.faults import Code, Failure, Fault
from services.gateway.effects import store
from tests.dialects.klu import examples
from tests.dialects.klu.examples import ACTION
from tests.services.gateway.peers import Door, new_key, opened
from tests.services.gateway.repeating import create_app, gate, post, serve_apps, until_answered
from tests.support.servers import Databases

pytestmark = pytest.mark.asyncio

EXPIRE = "UPDATE effects SET until = now() - interval '1 second' WHERE scope = $1 AND key = $2"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def door(nats_url: str, databases: Databases) -> AsyncIterator[Door]:
    async with opened(nats_url, databases) as door:
        yield door


@pytest.fixture
def key() -> str:
    return f"key-{ids.new()}"


async def test_the_same_request_gets_the_first_answer_again(door, key):
    await serve_apps(door)
    first, again = await create_app(door, key), await create_app(door, key)
    assert (again.status, again.text) == (first.status, first.text) == (200, first.text)
    assert again.headers["Content-Type"] == first.headers["Content-Type"]
    assert (first.headers.get("Idempotent-Replayed"), again.headers["Idempotent-Replayed"]) == (None, "true")
    assert again.headers["X-Request-Id"] != first.headers["X-Request-Id"]
    assert len(door.peers.asked) == 1


async def test_without_a_key_nothing_is_kept(door):
    await serve_apps(door)
    await door.peers.answer(apps.CREATE, examples.app)
    before = await door.service.database.fetchval("SELECT count(*) FROM effects")
    for _ in range(2):
        assert (await door.call("POST", "/v1/apps", {"name": "Support"})).status == 200
    assert await door.service.database.fetchval("SELECT count(*) FROM effects") == before
    assert [asked.id for asked in door.peers.asked] == [None, None]


async def test_a_key_of_another_request_is_422_and_names_the_header(door, key):
    await serve_apps(door)
    await create_app(door, key)
    others = [
        await create_app(door, key, name="Other"),
        await post(door, "/v1/apps?x=1", {"name": "Support"}, key),
        await post(door, "/api/webhooks", {"url": "https://a.example", "events": ["*"]}, key),
    ]
    for other in others:
        assert other.status == 422
        assert "Idempotency-Key" in other.text
    assert others[0].json.keys() == {"error", "message", "detail"}
    assert others[2].json["error"]["code"] == "UNPROCESSABLE"
    assert len(door.peers.asked) == 1


@pytest.mark.parametrize("bad", ["", "x" * 256, "a b", "a\tb", "caf\u00e9"])
async def test_what_is_no_key_is_422_and_names_the_header(door, bad):
    answer = await create_app(door, bad)
    assert answer.status == 422
    assert "Idempotency-Key" in answer.json["message"]


async def test_a_key_may_be_as_long_as_255_characters_and_is_one(door):
    await serve_apps(door)
    assert (await create_app(door, "~" * 254 + "!")).status == 200
    two = [("Idempotency-Key", "a"), ("Idempotency-Key", "b"), ("Authorization", f"Bearer {door.key}")]
    async with door.session.post(f"{door.url}/v1/apps", json={"name": "a"}, headers=two) as answer:
        assert answer.status == 422


async def test_only_a_post_is_kept(door, key):
    await door.peers.answer(apps.GET, examples.app)
    for _ in range(2):
        answer = await door.call("GET", f"/v1/apps/{examples.APP}", headers={"Idempotency-Key": key})
        assert "Idempotent-Replayed" not in answer.headers


async def test_while_the_first_is_being_answered_the_second_is_told_to_wait(door, key):
    came, go = await gate(door)
    first = asyncio.create_task(create_app(door, key))
    await came.wait()
    second = await create_app(door, key)
    assert second.status == 409
    assert second.headers["Retry-After"] == "1"
    assert (await create_app(door, key, name="Other")).status == 422
    go.set()
    assert (await first).status == 200
    assert (await create_app(door, key)).headers["Idempotent-Replayed"] == "true"


async def test_who_leaves_finds_the_answer_on_coming_back(door, key):
    came, go = await gate(door)
    first = asyncio.create_task(create_app(door, key))
    await came.wait()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    go.set()
    again = await until_answered(door, key)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(door.peers.asked) == 1


async def test_workspaces_do_not_share_their_keys(door, key):
    await serve_apps(door)
    other = await new_key(door.service, "Another")
    first = await create_app(door, key)
    second = await door.call("POST", "/v1/apps", {"name": "Else"}, key=other.secret, headers={"Idempotency-Key": key})
    assert second.status == 200
    assert first.json["guid"] != second.json["guid"]
    assert "Idempotent-Replayed" not in second.headers


async def test_a_refusal_is_an_answer_too(door, key):
    await door.peers.answer(apps.CREATE, Fault(Code.INVALID, "No.", field="name"))
    first = await create_app(door, key)
    await serve_apps(door)
    again = await create_app(door, key)
    assert (again.status, again.text) == (422, first.text)
    assert door.peers.asked == []


@pytest.mark.parametrize("code", [Code.UNAVAILABLE, Code.TIMEOUT, Code.INTERNAL, Code.RATE_LIMITED])
async def test_what_is_no_answer_is_not_kept_and_done_again_under_the_same_id(door, key, code):
    await door.peers.answer(apps.CREATE, Fault(code, "Not now.", retry_after=1))
    door.peers.asked.clear()
    assert (await create_app(door, key)).status in (429, 500, 503, 504)
    asked = door.peers.asked[0]
    await serve_apps(door)
    answer = await create_app(door, key)
    assert answer.status == 200
    assert "Idempotent-Replayed" not in answer.headers
    assert door.peers.asked == [asked]
    assert asked.id.version == 7


async def test_what_a_killed_gateway_left_is_taken_up_once_its_lease_is_over(door, key):
    """The row is there and nobody is at it: the id that was reserved is made."""
    await create_app(door, key)
    await serve_apps(door)
    database = door.service.database
    await database.execute("UPDATE effects SET answer = NULL, until = now() + interval '9 seconds' WHERE key = $1", key)
    assert (await create_app(door, key)).status == 409
    await database.execute(EXPIRE, door.workspace_id, key)
    assert (await create_app(door, key, name="Other")).status == 422
    reserved = await store.get(database, door.workspace_id, key)
    answer = await create_app(door, key)
    assert reserved is not None
    assert answer.json["guid"] == str(reserved.effect_id)


async def test_a_lease_is_renewed_while_the_request_is_being_answered(door, key):
    came, go = await gate(door)
    first = asyncio.create_task(create_app(door, key))
    await came.wait()
    await door.service.database.execute(EXPIRE, door.workspace_id, key)
    async with asyncio.timeout(60):
        while await door.service.database.fetchval("SELECT until < now() FROM effects WHERE key = $1", key):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert (await create_app(door, key)).status == 409
    go.set()
    assert (await first).status == 200


async def test_several_things_made_by_one_request_have_each_an_id_that_stays(door, key):
    await door.peers.answer(contexts.CREATE, examples.context)
    await door.peers.answer(documents.ADD_FILES, Fault(Code.UNAVAILABLE, "Not now."))
    await door.peers.answer(contexts.DELETE, Fault(Code.UNAVAILABLE, "Not now."))
    door.peers.asked.clear()
    body = {"name": "Docs", "files": ["https://a.example/a.txt"]}
    assert (await post(door, "/v1/context", body, key)).status == 503
    before = [asked.id for asked in door.peers.asked[:2]]
    await door.peers.answer(documents.ADD_FILES, [examples.document])
    door.peers.asked.clear()
    assert (await post(door, "/v1/context", body, key)).status == 200
    assert [asked.id for asked in door.peers.asked] == before
    assert len(set(before)) == 2


def run(**given) -> dict:
    return {"action": str(ACTION), "input": {"question": "Why?"}, **given}


async def test_a_run_is_started_durably_under_the_id_of_the_effect(door, key):
    await door.peers.answer(runs.START, examples.started)
    door.peers.asked.clear()
    answer = await post(door, "/v1/actions/", run(streaming=True), key)
    reserved = await store.get(door.service.database, door.workspace_id, key)
    [asked] = door.peers.asked
    assert reserved is not None
    assert (asked.run_id, asked.durable) == (reserved.effect_id, True)
    again = await post(door, "/v1/actions/", run(streaming=True), key)
    assert again.json == answer.json
    assert len(door.peers.asked) == 1
    await door.call("POST", "/v1/actions/", run())
    assert door.peers.asked[-1].durable is False


async def test_a_run_that_failed_is_run_again(door, key):
    """It is recorded, so the same id would only fail again."""
    failure = Failure(Code.UPSTREAM, "The model is away.")
    await door.peers.answer(
        runs.START, lambda asked: examples.started(asked, status=runs.Status.FAILED, failure=failure)
    )
    door.peers.asked.clear()
    assert (await post(door, "/v1/actions/", run(), key)).status == 502
    await door.peers.answer(runs.START, examples.started)
    assert (await post(door, "/v1/actions/", run(), key)).status == 200
    first, second = door.peers.asked
    assert first.run_id != second.run_id


async def test_answers_are_kept_sealed(door, key):
    await serve_apps(door)
    await create_app(door, key, name="a secret name")
    kept = await door.service.database.fetchval("SELECT answer FROM effects WHERE key = $1", key)
    assert b"secret" not in kept
    assert "secret" in (await create_app(door, key, name="a secret name")).text


async def test_what_is_older_than_a_day_is_dropped_in_batches(door, key):
    await serve_apps(door)
    database = door.service.database
    for n in range(5):
        await create_app(door, f"{key}-{n}")
    await create_app(door, key)
    old = "UPDATE effects SET created_at = now() - interval '25 hours', until = now() WHERE starts_with(key, $1)"
    await database.execute(old, f"{key}-")
    assert [await store.forget(database, hours=24, limit=3) for _ in range(3)] == [3, 2, 0]
    assert (await create_app(door, key)).headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in (await create_app(door, f"{key}-0")).headers

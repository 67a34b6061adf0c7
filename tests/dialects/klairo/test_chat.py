"""Chatting with Aria: at once and as a stream, over a real door. At the root the credential tells two voices apart."""

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from libs.contracts import actions, apps, feed, ids, runs, sessions
from libs.contracts.faults import Code, Failure, Fault, not_found
from services.gateway.directory import checksum, clocks, keys
from tests.dialects.klairo import signing_in
from tests.dialects.klisk.conftest import events
from tests.dialects.klu import examples
from tests.services.gateway.holder import Holder, holding

pytestmark = pytest.mark.asyncio

ROOTS = ["/v1/chat", "/klairo/api/chat", "/klairo/v1/chat"]
CONVERSATION, MESSAGE = ids.crockford("conv", examples.SESSION), ids.crockford("msg", examples.RUN)


def known(asked: sessions.GetSession) -> sessions.Session | Exception:
    return examples.session if asked.session_id == examples.SESSION else not_found("session", asked.session_id)


@pytest_asyncio.fixture(loop_scope="session")
async def aria(door):
    await door.peers.answer(apps.FIND, examples.app)
    await door.peers.answer(actions.FIND, examples.action)
    await door.peers.answer(sessions.GET, known)
    await door.peers.answer(runs.START, lambda asked: examples.started(asked, session_id=asked.session_id or ids.NONE))
    door.peers.asked.clear()
    return door


@pytest_asyncio.fixture(loop_scope="session")
async def holder(aria) -> Holder:
    return await holding(aria)


def start_of(door) -> runs.StartRun:
    return next(asked for asked in reversed(door.peers.asked) if isinstance(asked, runs.StartRun))


@pytest.mark.parametrize("root", ROOTS)
async def test_a_message_is_answered_as_the_page_shows(aria, root):
    answer = await aria.call("POST", root, {"message": "Why?", "conversation_id": CONVERSATION, "stream": False})
    start = start_of(aria)
    assert (answer.status, answer.json) == (
        200,
        {
            "conversation_id": CONVERSATION,
            "message_id": ids.crockford("msg", start.run_id),
            "role": "assistant",
            "content": "Because.",
            "created_at": "2026-03-11T11:30:00Z",
            "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15},
        },
    )
    assert (start.action_id, start.inputs, start.session_id) == (examples.APP, "Why?", examples.SESSION)
    assert (start.new_session, start.voice, start.informed) == (None, "klairo", True)
    assert [message.role for message in start.messages] == ["system"]


async def test_without_a_conversation_a_new_one_begins(aria):
    answer = await aria.call("POST", "/v1/chat", {"message": "Hello", "action": "chat"})
    start = start_of(aria)
    assert start.session_id is not None
    assert start.new_session == ""
    assert answer.json["conversation_id"] == ids.crockford("conv", start.session_id)


async def test_a_conversation_is_named_in_either_spelling(aria):
    for spelled in (CONVERSATION, str(examples.SESSION)):
        await aria.call("POST", "/v1/chat", {"message": "Go on.", "conversation_id": spelled})
        assert start_of(aria).session_id == examples.SESSION


async def test_what_is_in_the_context_reaches_the_prompt_with_what_is_known_of_the_contact(aria):
    made = await aria.call("POST", "/v1/contacts", {"name": "Alex", "deal_value": 12000})
    context = {"contact_id": made.json["id"], "season": "spring", "goals": {"calls": 3}}
    await aria.call("POST", "/v1/chat", {"message": "Summarise.", "context": context})
    (message,) = start_of(aria).messages
    today, told = message.content.split("\n\n")
    assert (message.role, today) == ("system", f"Today is {datetime.now(UTC):%A, %Y-%m-%d} (UTC).")
    assert json.loads(told.partition("\n")[2]) == context | {"contact": made.json}


async def test_today_is_that_of_the_workspaces_time_zone(aria):
    async with aria.service.database.transaction() as connection:
        await clocks.set_timezone(connection, aria.workspace_id, "Pacific/Kiritimati")
    await aria.call("POST", "/v1/chat", {"message": "What day is it?"})
    there = datetime.now(ZoneInfo("Pacific/Kiritimati"))
    assert start_of(aria).messages[0].content == f"Today is {there:%A, %Y-%m-%d} (Pacific/Kiritimati)."
    async with aria.service.database.transaction() as connection:
        await clocks.set_timezone(connection, aria.workspace_id, "UTC")


async def test_a_streamed_reply_ends_with_the_whole_and_is_resumed_after_any_event(aria, holder):
    headers, body = {"Authorization": f"Bearer {aria.key}"}, {"message": "Why?", "stream": True}
    async with aria.session.post(f"{aria.url}/v1/chat", json=body, headers=headers) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        await holder.emit(
            feed.Started(examples.ACTION, examples.SESSION, "m", "p"), feed.Token("Be"), feed.Token("cause.")
        )
        await holder.emit(feed.Done("stop", runs.Usage(12, 3), 9.0))
        text = await stream.text()
    *said, done, end = events(text)
    assert said == [{"type": "token", "content": "Be"}, {"type": "token", "content": "cause."}]
    start = start_of(aria)
    assert start.mode is runs.Mode.STREAMING
    assert (done["type"], done["content"], done["role"], end) == ("done", "Because.", "assistant", "[DONE]")
    assert done["message_id"] == ids.crockford("msg", start.run_id)
    assert done["usage"] == {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
    places = [line.removeprefix("id: ") for line in text.splitlines() if line.startswith("id: ")]
    assert places == [f"{start.run_id}-{n}" for n in (1, 2, 3, 4)]

    running = examples.started(start, status=runs.Status.SUCCEEDED)
    await aria.peers.answer(runs.GET, running)
    again = await aria.call("POST", "/v1/chat", body, headers={"Last-Event-ID": places[1]})
    assert events(again.text)[:1] == [{"type": "token", "content": "cause."}]
    assert events(again.text)[1]["content"] == "Because."
    whole = await aria.call("POST", "/v1/chat", {"message": "Why?"}, headers={"Last-Event-ID": places[1]})
    assert whole.json["content"] == "Because."


async def test_a_stream_that_fails_says_so_in_the_envelope(aria, holder):
    headers, body = {"Authorization": f"Bearer {aria.key}"}, {"message": "Why?", "stream": True}
    for ending, status, code in (
        (feed.Failed(Failure(Code.UPSTREAM, "The provider is away.")), 503, "SERVICE_UNAVAILABLE"),
        (feed.Cancelled(runs.Usage()), 409, "CONFLICT"),
    ):
        async with aria.session.post(f"{aria.url}/v1/chat", json=body, headers=headers) as stream:
            await holder.emit(feed.Started(examples.ACTION, None, "m", "p"), feed.Token("Be"), ending)
            _, failed, end = events(await stream.text())
        assert (failed["type"], failed["error"]["code"], failed["error"]["status"]) == ("error", code, status)
        assert end == "[DONE]"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({}, 400, "message"),
        ({"message": ""}, 400, "message"),
        ({"message": " \n"}, 400, "message"),
        ({"message": None}, 400, "message"),
        ({"message": "a\0b"}, 400, "NUL"),
        ({"message": "x", "model": "gpt"}, 400, "model"),
        ({"message": "x", "context": "contact"}, 400, "context"),
        ({"message": "x", "context": {"contact_id": 7}}, 400, "contact_id"),
        ({"message": "x", "context": {"contact_id": "cnt_nobody"}}, 404, "cnt_nobody"),
        ({"message": "x", "context": {"contact_id": str(examples.RUN)}}, 404, "context.contact_id: "),
        ({"message": "x", "conversation_id": "conv_nothing"}, 404, "conv_nothing"),
        ({"message": "x", "conversation_id": str(examples.RUN)}, 404, "conversation"),
    ],
)
async def test_what_does_not_fit_is_refused_by_its_status(aria, body, status, said, stream):
    answer = await aria.call("POST", "/v1/chat", body | {"stream": stream})
    assert (answer.status, answer.json["error"]["status"]) == (status, status), answer.text
    assert said in answer.json["error"]["message"]
    assert not [asked for asked in aria.peers.asked if isinstance(asked, runs.StartRun)]


async def test_a_provider_that_is_away_is_503(aria):
    await aria.peers.answer(runs.START, lambda _: Fault(Code.UPSTREAM, "The provider is away."))
    answer = await aria.call("POST", "/v1/chat", {"message": "Why?"})
    assert (answer.status, answer.json["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")


@pytest.mark.parametrize("path", ["/api/chat", "/api/chat/"])
async def test_at_the_root_the_credential_says_whose_a_message_is(aria, path):
    key = checksum.mint()
    async with aria.service.database.transaction() as connection:
        await keys.adopt(connection, aria.workspace_id, key, name="own")
    token = await signing_in.token(aria, f"{ids.new()}@example.com")
    body = {"message": "Why?", "stream": False}
    for own in (key, token):
        assert (await aria.call("POST", path, body, key=own)).json["content"] == "Because."
    other = await aria.call("POST", path, body, headers={"Origin": "https://a.example"})
    assert other.json["response"] == "Because."
    assert other.headers["Access-Control-Allow-Origin"] == "https://a.example"
    for wrong in ("kl_live_wrong", "eyJhbGciOi.eyJzdWIi.c2lnbmVk"):
        refused = await aria.call("POST", path, body, key=wrong)
        assert (refused.status, refused.json["error"]["code"]) == (401, "UNAUTHORIZED")
    for wrong in (None, "wrong", "eyJ.x"):
        refused = await aria.call("POST", path, body, key=wrong)
        assert (refused.status, refused.json) == (401, {"error": "Invalid API key"})
    assert (await aria.call("POST", "/klisk/api/chat", body, key=key)).json["response"] == "Because."

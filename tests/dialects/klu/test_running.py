"""Running an action: blocking, async and streamed, as Klu's clients ask and parse it."""

import asyncio
import json
from uuid import UUID

import aiohttp
import pytest
from msgspec.structs import replace

from libs.contracts import feed, feedback, runs
from libs.contracts.faults import Code, Failure, Fault, not_found
from services.gateway.directory import keys
from tests.dialects.klu import examples
from tests.dialects.klu.examples import ACTION, RUN, started
from tests.services.gateway.holder import holding
from tests.services.gateway.peers import new_key
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio

SDK_KEYS = {"msg", "streaming", "data_guid", "result_url", "feedback_url", "streaming_url"}
DONE = feed.Done("stop", runs.Usage(), 9.0)


def asked(**given):
    return {"action": str(ACTION), "input": {"question": "Why?"}, **given}


async def lines(response) -> list[str]:
    """The lines of a stream to its end."""
    return (await response.text()).splitlines()


def tokens(of: list[str]) -> str:
    data = [line.removeprefix("data: ") for line in of if line.startswith("data: {")]
    return "".join(json.loads(one)["token"] for one in data)


async def test_a_blocking_run_answers_what_the_sdks_know_and_no_more(door):
    await door.peers.answer(runs.START, started)
    answer = await door.call("POST", "/v1/actions/", asked())
    assert answer.status == 200
    assert answer.json.keys() == SDK_KEYS
    assert answer.json["msg"] == "Because."
    assert answer.json["streaming"] is False
    assert answer.json["result_url"] is answer.json["streaming_url"] is None
    assert answer.json["feedback_url"] == f"{door.url}/v1/data/{answer.json['data_guid']}"


async def test_without_the_slash_the_page_s_name_of_the_streaming_url_is_there_too(door):
    await holding(door)
    answer = await door.call("POST", "/v1/actions", asked(streaming=True))
    assert answer.json.keys() == SDK_KEYS | {"stream_url"}
    assert answer.json["stream_url"] == answer.json["streaming_url"]


@pytest.mark.parametrize("path", ["/v1/actions", "/v1/actions/", "/klu/v1/actions", "/klu/v1/actions/"])
async def test_every_spelling_of_the_address_runs_it_without_a_redirect(door, path):
    await door.peers.answer(runs.START, started)
    answer = await door.call("POST", path, asked(), allow_redirects=False)
    assert answer.status == 200
    assert answer.json["feedback_url"].startswith(door.url + ("/klu/v1/" if "klu" in path else "/v1/"))


async def test_what_was_asked_reaches_the_runner(door):
    await door.peers.answer(runs.START, started)
    body = asked(
        session=str(RUN),
        cache="true",
        metadata_filter={"lang": ["en", "de"]},
        messages=[{"role": "user", "content": "Hi"}],
        environment="production",
        extUserId=7,
        filter=None,
        indices=[],
    )
    assert (await door.call("POST", "/v1/actions/", body)).status == 200
    question = door.peers.asked[-1]
    assert (question.workspace_id, question.action_id, question.session_id) == (door.workspace_id, ACTION, RUN)
    assert (question.cache, question.environment, question.end_user) == (True, "production", "7")
    assert question.conditions == {"lang": ["en", "de"]}
    assert question.messages == [runs.Message("user", "Hi")]
    assert question.inputs == {"question": "Why?"}


async def test_the_address_of_an_action_runs_it_too(door):
    await door.peers.answer(runs.START, started)
    answer = await door.call("POST", f"/v1/actions/{ACTION}/prompt", {"input": "Why?"})
    assert answer.status == 200
    assert door.peers.asked[-1].action_id == ACTION


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (Failure(Code.UPSTREAM, "The provider refused the model."), 502),
        (Failure(Code.TIMEOUT, "The provider took too long."), 504),
        (Failure(Code.RATE_LIMITED, "The provider is busy.", retry_after=7.2), 429),
        (Failure("A_CODE_OF_LATER", "Something else."), 500),
    ],
)
async def test_a_run_that_failed_is_told_as_klu_tells_errors(door, failure, status):
    await door.peers.answer(
        runs.START, lambda start: started(start, status=runs.Status.FAILED, failure=failure, output="")
    )
    answer = await door.call("POST", "/v1/actions/", asked())
    assert answer.status == status
    assert answer.json.keys() == {"error", "message", "detail"}
    assert answer.json["message"] == answer.json["detail"] == failure.message
    assert answer.headers.get("Retry-After") == ("8" if failure.retry_after else None)


async def test_an_unknown_action_is_404_in_klu_s_words(door):
    await door.peers.answer(runs.START, lambda start: not_found("action", start.action_id))
    answer = await door.call("POST", "/v1/actions/", asked())
    assert (answer.status, answer.json["error"]) == (404, "NOT_FOUND")
    assert str(ACTION) in answer.json["detail"]


async def test_a_missing_variable_is_422_and_named(door):
    await door.peers.answer(
        runs.START, lambda start: Fault(Code.INVALID, "The prompt needs it.", field="input.question")
    )
    answer = await door.call("POST", "/v1/actions/", asked(input={}))
    assert (answer.status, answer.json["detail"]) == (422, "input.question: The prompt needs it.")


async def test_a_5_mb_input_and_a_3_mb_answer_pass(door):
    text = "ä" * (5 << 19)
    await door.peers.answer(runs.START, lambda start: started(start, output="x" * (3 << 20)))
    answer = await door.call("POST", "/v1/actions/", asked(input={"question": text}))
    assert (answer.status, len(answer.json["msg"])) == (200, 3 << 20)
    assert door.peers.asked[-1].inputs == {"question": text}


async def test_a_3_mb_answer_passes_through_a_stream_and_a_result(door):
    holder = await holding(door)
    text = "ö" * (3 << 19)
    accepted = (await door.call("POST", "/v1/actions/", asked(streaming=True, async_mode=True))).json
    await holder.emit(feed.Token(text), DONE)
    async with door.session.get(accepted["streaming_url"]) as stream:
        assert tokens(await lines(stream)) == text
    await door.peers.answer(runs.GET, replace(examples.run, output=text))
    assert (await door.call("GET", accepted["result_url"].removeprefix(door.url))).json["msg"] == text


async def test_an_async_run_is_polled_until_it_succeeded(door):
    await door.peers.answer(runs.ENQUEUE, lambda start: started(start, status=runs.Status.QUEUED, output=""))
    accepted = await door.call("POST", "/v1/actions/", asked(async_mode=True))
    assert accepted.json["msg"]
    result = accepted.json["result_url"].removeprefix(door.url)
    states = [
        (runs.Status.QUEUED, "PENDING"),
        (runs.Status.RUNNING, "PENDING"),
        (runs.Status.SUCCEEDED, "SUCCESS"),
        (runs.Status.FAILED, "FAILURE"),
    ]
    for status, spelled in states:
        await door.peers.answer(runs.GET, replace(examples.run, status=status))
        answer = await door.call("GET", result)
        assert answer.json.keys() == {"msg", "status"}
        assert answer.json["status"] == spelled
    assert door.peers.asked[-1] == runs.GetRun(door.workspace_id, UUID(accepted.json["data_guid"]))


async def test_a_result_needs_the_key(door):
    assert (await door.call("GET", f"/v1/data/{RUN}/result", key=None)).status == 401


async def test_a_stream_begins_carries_every_token_and_ends(door):
    holder = await holding(door)
    accepted = await door.call("POST", "/v1/actions/", asked(streaming=True))
    assert accepted.json["msg"]
    assert accepted.json["streaming"] is True
    await holder.emit(feed.Started(ACTION, None, "m", "p"), feed.Token("Hel"))
    async with door.session.get(accepted.json["streaming_url"]) as stream:
        assert (stream.status, stream.content_type) == (200, "text/event-stream")
        await holder.emit(feed.Token("lo "), feed.Thinking("hm"), *(feed.Token(f"{n} ") for n in range(50)), DONE)
        got = await lines(stream)
    assert got[0] == "data: BEGIN_STREAM"
    assert tokens(got) == "Hello " + "".join(f"{n} " for n in range(50))
    assert got[-3:] == ["data: END_STREAM", f"id: {holder.run_id}-55", ""]


async def test_a_token_is_there_before_the_next_is_made(door):
    holder = await holding(door)
    accepted = await door.call("POST", "/v1/actions/", asked(streaming=True))
    async with door.session.get(accepted.json["streaming_url"]) as stream:
        for n in range(3):
            await holder.emit(feed.Token(f"{n}"))
            while f'data: {{"token":"{n}"}}\n'.encode() != await stream.content.readline():
                pass
        await holder.emit(DONE)
        assert (await lines(stream))[-3] == "data: END_STREAM"


@pytest.mark.parametrize("way", ["header", "query", "number"])
async def test_a_client_resumes_after_the_last_event_it_saw(door, way):
    holder = await holding(door)
    url = (await door.call("POST", "/v1/actions/", asked(streaming=True))).json["streaming_url"]
    await holder.emit(feed.Token("a"), feed.Token("b"), feed.Token("c"), DONE)
    place = f"{holder.run_id}-2"
    headers = {"Last-Event-ID": place} if way == "header" else {}
    query = {"query": f"?after={place}", "number": "?after=2", "header": ""}[way]
    async with door.session.get(url + query, headers=headers) as stream:
        assert await lines(stream) == [
            'data: {"token":"c"}',
            f"id: {holder.run_id}-3",
            "",
            "data: END_STREAM",
            f"id: {holder.run_id}-4",
            "",
        ]


async def test_after_the_end_there_is_nothing_to_stream(door):
    holder = await holding(door)
    url = (await door.call("POST", "/v1/actions/", asked(streaming=True))).json["streaming_url"]
    await holder.emit(feed.Token("a"), DONE)
    async with door.session.get(url, headers={"Last-Event-ID": f"{holder.run_id}-2"}) as stream:
        assert (stream.status, await lines(stream)) == (200, ["data: No messages to stream", ""])


async def test_the_address_of_no_stream_is_a_stream_of_nothing(door):
    for address in ("/v1/stream/nothing", "/v1/stream/" + "A" * 200, "/klu/v1/stream/%00"):
        answer = await door.call("GET", address, key=None)
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
        assert answer.text == "data: No messages to stream\n\n"


@pytest.mark.parametrize(("place", "status"), [("nonsense", 422), ("nonsense-3", 422), (f"{ACTION}-3", 404)])
async def test_a_place_that_is_not_in_this_run_is_refused(door, place, status):
    await holding(door)
    url = (await door.call("POST", "/v1/actions/", asked(streaming=True))).json["streaming_url"]
    answer = await door.call("GET", url.removeprefix(door.url), key=None, headers={"Last-Event-ID": place})
    assert answer.status == status
    assert answer.json.keys() == {"error", "message", "detail"}


async def test_a_post_that_names_the_last_event_it_saw_starts_nothing_and_reads_the_rest(door):
    holder = await holding(door)
    first = (await door.call("POST", "/v1/actions/", asked(streaming=True))).json
    await holder.emit(feed.Token("a"), feed.Token("b"), DONE)
    await door.peers.answer(runs.GET, lambda get: replace(examples.run, id=get.run_id, mode=runs.Mode.STREAMING))
    door.peers.asked.clear()
    headers = {"Last-Event-ID": f"{holder.run_id}-1"}
    again = (await door.call("POST", "/v1/actions/", asked(streaming=True), headers=headers)).json
    assert door.peers.asked == [runs.GetRun(door.workspace_id, holder.run_id)]
    assert (again.keys(), again["data_guid"]) == (first.keys(), first["data_guid"])
    async with door.session.get(again["streaming_url"]) as stream:
        assert tokens(await lines(stream)) == "b"


async def test_a_blocking_post_that_resumes_a_stream_waits_for_its_end(door):
    holder = await holding(door)
    await door.call("POST", "/v1/actions/", asked(streaming=True))
    states = [runs.Status.RUNNING, runs.Status.SUCCEEDED]
    run = replace(examples.run, id=holder.run_id, mode=runs.Mode.STREAMING)
    await door.peers.answer(runs.GET, lambda _: replace(run, status=states.pop(0)))
    again = asyncio.create_task(
        door.call("POST", "/v1/actions/", asked(), headers={"Last-Event-ID": f"{holder.run_id}-0"})
    )
    await until(lambda: len(states) == 1)
    assert not again.done()
    await holder.emit(feed.Token("Because."), DONE)
    assert (await again).json["msg"] == "Because."


@pytest.mark.parametrize(("place", "status"), [("7", 422), ("nonsense-3", 422), (f"{RUN}-3", 404), (f"{RUN}-2.1", 404)])
async def test_a_post_does_not_resume_what_its_workspace_does_not_have(door, place, status):
    await holding(door)
    await door.peers.answer(runs.GET, lambda get: not_found("run", get.run_id))
    door.peers.asked.clear()
    answer = await door.call("POST", "/v1/actions/", asked(streaming=True), headers={"Last-Event-ID": place})
    assert answer.status == status
    assert not [question for question in door.peers.asked if isinstance(question, runs.StartRun)]


async def test_a_run_that_fails_on_the_way_is_an_error_event(door):
    holder = await holding(door)
    url = (await door.call("POST", "/v1/actions/", asked(streaming=True))).json["streaming_url"]
    await holder.emit(feed.Token("a"), feed.Failed(Failure(Code.UPSTREAM, "The provider broke off.")))
    async with door.session.get(url) as stream:
        got = await lines(stream)
    assert "event: error" in got
    assert json.loads(got[got.index("event: error") + 1].removeprefix("data: "))["detail"] == "The provider broke off."
    assert got[-3] == "data: END_STREAM"


async def test_the_events_of_a_fast_run_are_joined_and_come_apart(door):
    """Clients that take one event a network read lose none."""
    holder = await holding(door)
    url = (await door.call("POST", "/v1/actions/", asked(streaming=True))).json["streaming_url"]
    await holder.emit(*(feed.Token(f"{n} ") for n in range(3000)), DONE)
    async with door.session.get(url) as stream:
        got = await lines(stream)
    assert tokens(got) == "".join(f"{n} " for n in range(3000))
    assert len([line for line in got if line.startswith("data:")]) < 300


async def test_a_revoked_key_ends_the_streams_it_started(door):
    holder = await holding(door)
    made = await new_key(door.service)
    url = (await door.call("POST", "/v1/actions/", asked(streaming=True), key=made.secret)).json["streaming_url"]
    async with door.session.get(url) as stream:
        await holder.emit(feed.Token("a"))
        while b"token" not in await stream.content.readline():
            pass
        async with door.service.database.transaction() as connection:
            await keys.revoke(connection, made.key.id)
        with pytest.raises(aiohttp.ClientPayloadError):
            await stream.content.read()
    async with door.session.get(url) as stream:
        assert await lines(stream) == ["data: No messages to stream", ""]


async def test_a_data_point_is_one_question_for_the_run_and_one_for_its_feedback(door):
    await door.peers.answer(runs.GET, examples.run)
    await door.peers.answer(feedback.OF, [examples.rating])
    door.peers.asked.clear()
    answer = await door.call("GET", f"/v1/data/{RUN}")
    assert sorted(type(question).__name__ for question in door.peers.asked) == ["FeedbackOf", "GetRun"]
    assert answer.json["feedback"][0]["guid"] == str(examples.rating.id)
    assert answer.json["completion"] == answer.json["output"] == "Because."


async def test_who_is_away_is_503_with_retry_after(door):
    answer = await door.call("GET", "/v1/apps")
    assert (answer.status, answer.json["error"]) == (503, "UNAVAILABLE")
    assert int(answer.headers["Retry-After"]) >= 1

"""Running an app: whole, and as lines of deltas, as LLMStack's clients ask and parse it."""

import json
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from msgspec.structs import replace

from libs.contracts import feed, ids, runs
from libs.contracts.faults import Code, Failure, Fault, not_found
from services.gateway.directory import keys
from tests.dialects.klu import examples
from tests.dialects.klu.examples import APP, RUN, SESSION, started
from tests.services.gateway.holder import holding
from tests.services.gateway.peers import Door, new_key

pytestmark = pytest.mark.asyncio

PATH = f"/api/apps/{APP}/run"
ASKED = {"input": {"question": "Why?"}}
STREAMED = ASKED | {"stream": True}
DONE = feed.Done("stop", runs.Usage(), 9.0)


def as_asked(start: runs.StartRun) -> runs.Run:
    return started(start, session_id=start.session_id)


async def run(door: Door, path: str = PATH, body: Any = ASKED, **options: Any) -> Any:
    return await door.call("POST", path, body, **options)


def streamed(door: Door, key: str, query: str = "", **headers: str) -> Any:
    headers["Authorization"] = f"Token {key}"
    return door.session.post(door.url + PATH + query, json=STREAMED, headers=headers)


def parsed(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("keyword", ["Token", "token", "TOKEN", "Bearer"])
async def test_a_run_answers_its_session_its_output_and_its_id(door, keyword):
    await door.peers.answer(runs.START, as_asked)
    answer = await run(door, headers={"Authorization": f"{keyword} {door.key}"})
    start = door.peers.asked[-1]
    assert answer.status == 200
    assert answer.json == {"session": {"id": str(start.session_id)}, "output": "Because.", "_id": str(start.run_id)}
    assert answer.headers["X-Run-Id"] == str(start.run_id)
    assert (start.action_id, start.inputs, start.mode) == (APP, {"question": "Why?"}, runs.Mode.BLOCKING)
    assert (start.voice, start.new_session, start.workspace_id) == ("llmstack", "", door.workspace_id)


@pytest.mark.parametrize("path", [PATH, f"{PATH}/", f"/llmstack{PATH}", f"/api/apps/{ids.crockford('app', APP)}/run"])
async def test_every_spelling_of_the_address_runs_it(door, path):
    await door.peers.answer(runs.START, as_asked)
    assert (await run(door, path, allow_redirects=False)).status == 200
    assert door.peers.asked[-1].action_id == APP


@pytest.mark.parametrize("where", ["path", "body"])
@pytest.mark.parametrize("called", [str(SESSION), "visitor 7", ids.crockford("conv", SESSION)])
async def test_a_session_is_called_as_the_client_called_it(door, where, called):
    await door.peers.answer(runs.START, as_asked)
    in_path = where == "path"
    answer = await run(
        door, f"{PATH}/{called}" if in_path else PATH, ASKED if in_path else ASKED | {"session_id": called}
    )
    assert answer.json["session"] == {"id": called}
    named = called == "visitor 7"
    assert door.peers.asked[-1].session_id == (ids.named(door.workspace_id, called) if named else SESSION)
    assert door.peers.asked[-1].new_session == (called if named else "")


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (not_found("action", APP), 404),
        (Fault(Code.INVALID, "The prompt needs it.", field="input.question"), 400),
        (Fault(Code.UPSTREAM, "The provider refused the model."), 400),
        (Fault(Code.TIMEOUT, "The provider took too long."), 400),
        (Fault(Code.RATE_LIMITED, "The provider is busy.", retry_after=7.2), 429),
        (Fault(Code.UNAVAILABLE, "There is no room.", retry_after=1), 503),
    ],
)
@pytest.mark.parametrize("body", [ASKED, STREAMED], ids=["whole", "streamed"])
async def test_a_run_that_does_not_begin_tells_its_errors(door, body, fault, status):
    await door.peers.answer(runs.START, lambda _: fault)
    answer = await run(door, body=body)
    assert (answer.status, len(answer.json["errors"])) == (status, 1)
    assert fault.message in answer.json["errors"][0]
    assert answer.headers.get("Retry-After") == (
        None if fault.retry_after is None else {7.2: "8", 1: "1"}[fault.retry_after]
    )


async def test_a_provider_that_failed_is_asked_again_under_the_same_idempotency_key(door):
    """It is told as a bad request, and no final answer nevertheless."""
    broken = Failure(Code.UPSTREAM, "The provider broke off.")
    await door.peers.answer(
        runs.START, lambda start: replace(as_asked(start), status=runs.Status.FAILED, failure=broken)
    )
    key = {"Idempotency-Key": str(ids.new())}
    assert (await run(door, headers=key)).json["errors"] == ["The provider broke off."]
    await door.peers.answer(runs.START, as_asked)
    first, again = await run(door, headers=key), await run(door, headers=key)
    assert (first.status, again.status, again.headers["Idempotent-Replayed"]) == (200, 200, "true")
    assert first.json == again.json


async def test_a_stream_is_lines_that_begin_with_the_session(door):
    holder = await holding(door)
    async with door.session.post(
        door.url + PATH, json=STREAMED, headers={"Authorization": f"Token {door.key}"}
    ) as stream:
        assert (stream.status, stream.content_type) == (200, "application/json")
        assert stream.headers["X-Run-Id"] == str(holder.run_id)
        opening = json.loads(await stream.content.readline())
        assert opening == {"session": {"id": str(SESSION)}, "_id": str(holder.run_id)}
        for n in range(3):
            await holder.emit(feed.Thinking("hm"), feed.Token(f"{n} "))
            assert json.loads(await stream.content.readline()) == {"output": f"{n} "}
        await holder.emit(DONE)
        assert await stream.content.read() == b""


async def test_a_run_that_fails_on_the_way_ends_with_its_errors(door):
    holder = await holding(door)
    async with door.session.post(
        door.url + PATH, json=STREAMED, headers={"Authorization": f"Token {door.key}"}
    ) as stream:
        await holder.emit(feed.Token("a"), feed.Failed(Failure(Code.UPSTREAM, "The provider broke off.")))
        told = parsed(await stream.text())
    assert told[1:] == [{"output": "a"}, {"errors": ["The provider broke off."]}]


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("{run}-0", ["opening", "a", "b", "c"]),
        ("{run}-1", ["b", "c"]),
        ("{run}-4", []),
    ],
)
@pytest.mark.parametrize("way", ["header", "query"])
async def test_who_names_the_run_reads_it_and_starts_none(door, place, told, way):
    holder = await holding(door)
    async with streamed(door, door.key) as stream:
        await holder.emit(feed.Token("a"), feed.Token("b"), feed.Token("c"), DONE)
        await stream.read()
    await door.peers.answer(runs.GET, replace(examples.run, id=holder.run_id))
    door.peers.asked.clear()
    place = place.format(run=holder.run_id)
    query, headers = ("", {"Last-Event-ID": place}) if way == "header" else (f"?after={place}", {})
    async with streamed(door, door.key, query, **headers) as stream:
        lines = ["opening" if "session" in line else line["output"] for line in parsed(await stream.text())]
        assert stream.headers["X-Run-Id"] == str(holder.run_id)
    assert lines == told
    assert not [question for question in door.peers.asked if isinstance(question, runs.StartRun)]


async def test_who_names_the_run_may_have_it_whole(door):
    await door.peers.answer(runs.GET, examples.run)
    answer = await run(door, headers={"Last-Event-ID": f"{RUN}-0"})
    assert answer.json == {"session": {"id": str(SESSION)}, "output": "Because.", "_id": str(RUN)}


@pytest.mark.parametrize(("place", "status"), [("nonsense", 400), (f"{RUN}-x", 400), (f"{RUN}-3", 404)])
async def test_a_place_in_no_run_is_refused_before_the_stream(door, place, status):
    await door.peers.answer(runs.GET, lambda asked: not_found("run", asked.run_id))
    answer = await run(door, body=STREAMED, headers={"Last-Event-ID": place})
    assert (answer.status, answer.json.keys()) == (status, {"detail", "errors"})


async def test_a_revoked_key_ends_its_streams(door):
    holder = await holding(door)
    made = await new_key(door.service)
    async with door.session.post(
        door.url + PATH, json=STREAMED, headers={"Authorization": f"Token {made.secret}"}
    ) as stream:
        await holder.emit(feed.Token("a"))
        while b"output" not in await stream.content.readline():
            pass
        async with door.service.database.transaction() as connection:
            await keys.revoke(connection, made.key.id)
        with pytest.raises(aiohttp.ClientPayloadError):
            await stream.content.read()


async def test_a_3_mb_answer_passes_whole_and_in_lines(door):
    text = "ö" * (3 << 19)
    await door.peers.answer(runs.START, lambda start: replace(as_asked(start), output=text))
    assert (await run(door)).json["output"] == text
    holder = await holding(door)
    async with door.session.post(
        door.url + PATH, json=STREAMED, headers={"Authorization": f"Token {door.key}"}
    ) as stream:
        await holder.emit(feed.Token(text), DONE)
        assert "".join(line.get("output", "") for line in parsed(await stream.text())) == text


async def test_the_id_of_a_run_is_one_that_other_voices_know(door):
    await door.peers.answer(runs.START, as_asked)
    assert UUID((await run(door)).json["_id"]).version == 7

"""Chatting over a WebSocket: turns, memory, cancelling, and frames that are none."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType
from msgspec.structs import replace

from libs.contracts import feed, ids, runs, sessions
from libs.contracts.faults import Code, Failure
from services.gateway.directory import keys
from services.gateway.http.body import MOST_BYTES
from tests.dialects.klisk.conftest import DONE, HELPER, POET
from tests.dialects.klu import examples
from tests.dialects.klu.examples import RUN, SESSION
from tests.services.gateway.peers import Door, new_key

pytestmark = pytest.mark.asyncio


@asynccontextmanager
async def socket(door: Door, key: str | None = None, path: str = "/ws/chat") -> AsyncIterator[ClientWebSocketResponse]:
    async with door.session.ws_connect(f"{door.url}{path}?key={door.key if key is None else key}") as opened:
        yield opened


def starts(door: Door) -> list[runs.StartRun]:
    return [asked for asked in door.peers.asked if isinstance(asked, runs.StartRun)]


async def until_started(door: Door, count: int) -> None:
    async with door.peers.moved:
        await door.peers.moved.wait_for(lambda: len(starts(door)) >= count)


async def event(opened: ClientWebSocketResponse) -> dict[str, object]:
    return json.loads(await opened.receive_str(timeout=60))


async def turn(door: Door, holder, opened: ClientWebSocketResponse, answer: str, **sent) -> dict[str, object]:
    """A message and its answer; the last event of it."""
    count = len(starts(door)) + 1
    await opened.send_json({"message": "Why?", **sent})
    await until_started(door, count)
    await holder.emit(feed.Token(answer), DONE)
    assert await event(opened) == {"type": "token", "data": answer}
    return await event(opened)


@pytest.mark.parametrize("path", ["/ws/chat", "/klisk/ws/chat"])
async def test_the_events_are_those_of_a_stream_in_compact_json(agents, holder, path):
    async with socket(agents, path=path) as opened:
        await opened.send_json({"message": "Why?"})
        await until_started(agents, 1)
        await holder.emit(
            feed.Started(HELPER.id, None, "m", "p"),
            feed.Thinking("Hm."),
            runs.ToolCall("1", "hi", '{"a": 1}'),
            feed.ToolResult("1", "hi", "Hello"),
            feed.Token("Grüß."),
            DONE,
        )
        assert [await opened.receive_str() for _ in range(5)] == [
            '{"type":"thinking","data":"Hm."}',
            r'{"type":"tool_call","data":{"tool":"hi","arguments":"{\"a\": 1}","status":"running"}}',
            '{"type":"tool_result","data":{"output":"Hello"}}',
            '{"type":"token","data":"Grüß."}',
            f'{{"type":"done","data":"Grüß.","response_id":"resp_{holder.run_id}"}}',
        ]
    assert (starts(agents)[0].inputs, starts(agents)[0].mode) == ("Why?", runs.Mode.STREAMING)


async def test_a_socket_remembers_until_it_is_cleared(agents, holder):
    await agents.peers.answer(sessions.CONTINUE, examples.session)
    async with socket(agents) as opened:
        first = await turn(agents, holder, opened, "a")
        await turn(agents, holder, opened, "b")
        await opened.send_json({"type": "clear"})
        await turn(agents, holder, opened, "c")
    assert [start.session_id for start in starts(agents)] == [None, SESSION, None]
    followed = [asked.run_id for asked in agents.peers.asked if isinstance(asked, sessions.ContinueFrom)]
    assert first["response_id"] == f"resp_{followed[0]}"


async def test_a_socket_is_restored_to_a_response_and_a_message_may_name_another(agents, holder):
    await agents.peers.answer(sessions.CONTINUE, examples.session)
    another = ids.new()
    async with socket(agents) as opened:
        await opened.send_json({"type": "restore", "previous_response_id": f"resp_{RUN}"})
        await turn(agents, holder, opened, "a")
        await turn(agents, holder, opened, "b", previous_response_id=f"resp_{another}")
    followed = [asked.run_id for asked in agents.peers.asked if isinstance(asked, sessions.ContinueFrom)]
    assert followed == [RUN, another]


async def test_a_socket_keeps_its_agent_and_another_begins_anew(agents, holder):
    await agents.peers.answer(sessions.CONTINUE, examples.session)
    async with socket(agents) as opened:
        await turn(agents, holder, opened, "a", agent_name="Poet")
        await turn(agents, holder, opened, "b")
        await turn(agents, holder, opened, "c", agent_name="Helper")
    assert [(start.action_id, start.session_id) for start in starts(agents)] == [
        (POET.id, None),
        (POET.id, SESSION),
        (HELPER.id, None),
    ]


async def test_a_message_waits_for_the_answer_before_it(agents, holder):
    await agents.peers.answer(sessions.CONTINUE, examples.session)
    async with socket(agents) as opened:
        await opened.send_json({"message": "first"})
        await opened.send_json({"message": "second"})
        await until_started(agents, 1)
        await holder.emit(feed.Token("a"), DONE)
        await until_started(agents, 2)
        await holder.emit(feed.Token("b"), DONE)
        told = [await event(opened) for _ in range(4)]
    assert [one["data"] for one in told] == ["a", "a", "b", "b"]


async def test_a_failure_ends_the_turn_and_not_the_socket(agents, holder):
    async with socket(agents) as opened:
        await opened.send_json({"message": "Why?"})
        await until_started(agents, 1)
        await holder.emit(feed.Failed(Failure(Code.UPSTREAM, "The provider broke off.")))
        assert await event(opened) == {"type": "error", "data": "The provider broke off."}
        done = await turn(agents, holder, opened, "a")
        assert done["type"] == "done"
    assert starts(agents)[1].session_id is None


async def test_an_answer_is_cancelled_while_it_is_written(agents, holder):
    async def cancelled(asked: runs.GetRun) -> runs.Run:
        await holder.emit(feed.Cancelled(runs.Usage()))
        return replace(examples.run, id=asked.run_id)

    await agents.peers.answer(runs.CANCEL, cancelled)
    async with socket(agents) as opened:
        await opened.send_json({"type": "cancel"})
        await opened.send_json({"message": "Why?"})
        await until_started(agents, 1)
        await holder.emit(feed.Token("Half"))
        await event(opened)
        await opened.send_json({"type": "cancel"})
        assert await event(opened) == {"type": "done", "data": "Half", "response_id": f"resp_{holder.run_id}"}
    assert [asked.run_id for asked in agents.peers.asked if isinstance(asked, runs.GetRun)] == [holder.run_id]


async def test_an_answer_is_cancelled_before_it_is_accepted(agents, holder):
    accepting = asyncio.Event()

    async def accept(asked: runs.StartRun) -> runs.Run:
        await accepting.wait()
        return holder.accept(asked)

    async def cancelled(asked: runs.GetRun) -> runs.Run:
        await holder.emit(feed.Cancelled(runs.Usage()))
        return replace(examples.run, id=asked.run_id)

    await agents.peers.answer(runs.START, accept)
    await agents.peers.answer(runs.CANCEL, cancelled)
    async with socket(agents) as opened:
        await opened.send_json({"message": "Why?"})
        await until_started(agents, 1)
        await opened.send_json({"type": "cancel"})
        await opened.send_json({"type": "nothing"})
        assert (await event(opened))["type"] == "error"
        accepting.set()
        assert (await event(opened))["type"] == "done"


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ("", "empty"),
        ("{", "not valid JSON"),
        ("[]", "Expected an object"),
        ('{"message": 5}', "message"),
        ('{"message": " "}', "message"),
        ('{"message": "a\\u0000"}', "NUL"),
        ('{"type": "ping"}', "ping"),
        ('{"type": {}}', "type"),
        ('{"type": "restore", "previous_response_id": "resp_x"}', "resp_x"),
        ('{"message": "x", "agent_name": "Nobody"}', "'Helper', 'Poet'"),
        ('{"message": "x", "previous_response_id": "resp_x"}', "resp_x"),
        ('{"a":' * 100_000, "nested"),
    ],
)
async def test_what_is_no_message_is_an_error_event_and_the_socket_stays(agents, holder, sent, said):
    async with socket(agents) as opened:
        await opened.send_str(sent)
        told = await event(opened)
        assert told["type"] == "error"
        assert said in str(told["data"])
        assert (await turn(agents, holder, opened, "a"))["type"] == "done"


async def test_a_flood_of_messages_is_told_to_wait(agents):
    async with socket(agents) as opened:
        await agents.peers.answer(runs.START, lambda _: asyncio.Event().wait())
        for _ in range(40):
            await opened.send_json({"message": "Why?"})
        assert "wait" in str((await event(opened))["data"])


@pytest.mark.parametrize("key", ["", "wrong", "%D0%BA"])
async def test_a_wrong_key_is_told_and_closes_with_4001(agents, key):
    async with socket(agents, key=key) as opened:
        assert await event(opened) == {"type": "auth_error", "data": "Invalid API key"}
        assert (await opened.receive()).type is WSMsgType.CLOSE
        assert opened.close_code == 4001


async def test_a_key_may_come_in_the_header(agents, holder):
    headers = {"Authorization": f"Bearer {agents.key}"}
    async with agents.session.ws_connect(f"{agents.url}/ws/chat", headers=headers) as opened:
        assert (await turn(agents, holder, opened, "a"))["type"] == "done"


async def test_bytes_close_with_1003(agents):
    async with socket(agents) as opened:
        await opened.send_bytes(b"{}")
        await opened.receive()
        assert opened.close_code == 1003


@pytest.mark.parametrize("more", [1, MOST_BYTES])
async def test_a_message_over_the_limit_closes_with_1009(agents, more):
    async with socket(agents) as opened:
        await opened.send_str("x" * (MOST_BYTES + more))
        await opened.receive()
        assert opened.close_code == 1009


async def test_a_revoked_key_ends_its_sockets(agents, holder):
    made = await new_key(agents.service)
    async with socket(agents, key=made.secret) as opened:
        await turn(agents, holder, opened, "a")
        async with agents.service.database.transaction() as connection:
            await keys.revoke(connection, made.key.id)
        await opened.receive(timeout=60)
        assert opened.close_code == 1001


async def test_who_asks_for_no_socket_is_told_so(agents):
    answer = await agents.call("GET", "/ws/chat")
    assert (answer.status, list(answer.json)) == (400, ["error"])

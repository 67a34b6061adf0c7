"""The client of providers: what it tries again, how long it waits, what it says of failures, and that it hangs up."""

import asyncio
import time

import pytest
import pytest_asyncio
from aiohttp import web

from libs.contracts.actions import Parameters
from libs.contracts.faults import Code, Fault
from libs.contracts.feed import Token
from libs.contracts.runs import Message
from libs.egress import Egress
from services.runner.providers.attempt import Patience
from services.runner.providers.call import Endpoint, ModelCall, Piece
from services.runner.providers.upstream import Upstream
from tests.support.provider import Answer, provider, refusal
from tests.support.waiting import until
from tests.support.web import site

pytestmark = pytest.mark.asyncio

KEY = "sk-very-secret-1234"
PATIENCE = Patience(backoff=0.01, longest_wait=2)


@pytest_asyncio.fixture(loop_scope="session")
async def model():
    async with provider() as model:
        yield model


@pytest_asyncio.fixture(loop_scope="session")
async def client():
    egress = Egress("127.0.0.0/8")
    client = Upstream(egress, PATIENCE)
    yield client
    await client.close()
    await egress.close()


def asking(url: str, *, kind: str = "openai", guarded: bool = True, **parameters) -> ModelCall:
    endpoint = Endpoint(kind, "Maker", url, KEY, "small", guarded)
    return ModelCall(endpoint, [Message("user", "Why?")], Parameters(**parameters))


class Said:
    """What was heard of an answer; with `once`, whoever hears breaks off at the first text."""

    def __init__(self, *, once: bool = False) -> None:
        self.text, self.once = "", once

    async def hear(self, pieces: list[Piece]) -> None:
        self.text += "".join(piece.text for piece in pieces if isinstance(piece, Token))
        if self.once and self.text:
            raise BrokenOff


class BrokenOff(Exception):
    pass


async def said(client: Upstream, call: ModelCall) -> str:
    heard = Said()
    await client.ask(call, heard.hear)
    return heard.text


async def fault_of(client: Upstream, call: ModelCall) -> Fault:
    with pytest.raises(Fault) as caught:
        await said(client, call)
    assert KEY not in caught.value.message
    return caught.value


@pytest.mark.parametrize("cut", [0, 1, 7])
async def test_an_answer_comes_through_in_either_protocol(model, client, cut):
    model.default = Answer(cut=cut)
    assert await said(client, asking(model.openai_url)) == "Hello from the model."
    assert await said(client, asking(model.url, kind="anthropic")) == "Hello from the model."
    assert [asked.path for asked in model.asked] == ["/v1/chat/completions", "/v1/messages"]


async def test_an_answer_that_is_not_streamed_is_read_as_well(model, client):
    model.plays(Answer(plain=True))
    assert await said(client, asking(model.openai_url)) == "Hello from the model."


@pytest.mark.parametrize("told", ['{"ok": true}', "{}", '{"choices": []}'])
async def test_what_is_no_completion_is_no_empty_answer(client, told):
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=told, content_type="application/json")

    async with site(answer) as url:
        fault = await fault_of(client, asking(url))
    assert (fault.code, fault.message) == (Code.UPSTREAM, "Maker sent something else than a completion.")


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 529])
async def test_what_may_pass_is_tried_again(model, client, status):
    model.plays(refusal(status, "busy"), refusal(status, "busy"))
    assert await said(client, asking(model.openai_url)) == "Hello from the model."
    assert len(model.asked) == 3


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, Code.INVALID), (401, Code.UPSTREAM), (403, Code.UPSTREAM), (404, Code.UPSTREAM), (422, Code.INVALID)],
)
async def test_what_will_not_pass_is_not_tried_again(model, client, status, code):
    model.plays(refusal(status, f"The key {KEY} is wrong"))
    fault = await fault_of(client, asking(model.openai_url))
    assert (fault.code, len(model.asked)) == (code, 1)
    assert fault.message == f"Maker answered {status}: The key … is wrong"


async def test_the_action_says_how_often_to_try_again(model, client):
    model.plays(refusal(500, "broken"))
    fault = await fault_of(client, asking(model.openai_url, retries=0))
    assert (fault.code, fault.message) == (Code.UPSTREAM, "Maker answered 500: broken")
    model.plays(*[refusal(429, "busy", Retry_After="0")] * 4)
    fault = await fault_of(client, asking(model.openai_url, retries=3))
    assert (fault.code, len(model.asked)) == (Code.RATE_LIMITED, 5)


async def test_a_provider_is_not_asked_before_the_time_it_named(model, client):
    model.plays(refusal(429, "busy", Retry_After="1"))
    began = time.monotonic()
    assert await said(client, asking(model.openai_url)) == "Hello from the model."
    assert time.monotonic() - began >= 1


async def test_a_long_wait_is_the_callers_to_decide(model, client):
    model.plays(refusal(429, "quota", Retry_After="3600"))
    fault = await fault_of(client, asking(model.openai_url))
    assert (fault.code, fault.retry_after, len(model.asked)) == (Code.RATE_LIMITED, 3600, 1)


async def test_a_connection_that_breaks_before_the_first_piece_is_tried_again(model, client):
    model.plays(Answer(breaks_after=0), Answer(breaks_after=0))
    assert await said(client, asking(model.openai_url)) == "Hello from the model."


async def test_once_a_piece_is_out_nothing_is_tried_again(model, client):
    model.plays(Answer(breaks_after=2, between=0.01))
    heard = Said()
    with pytest.raises(Fault) as caught:
        await client.ask(asking(model.openai_url), heard.hear)
    assert (heard.text, caught.value.code, len(model.asked)) == ("Hello from", Code.UPSTREAM, 1)
    assert caught.value.message == "Maker closed the connection in the midst of its answer."


async def test_a_provider_that_says_nothing_is_given_up(model):
    egress = Egress("127.0.0.0/8")
    client = Upstream(egress, Patience(first_byte=0.5, backoff=0.01))
    model.plays(Answer(first=60), Answer(first=60), Answer(first=60))
    fault = await fault_of(client, asking(model.openai_url))
    assert (fault.code, fault.message) == (Code.TIMEOUT, "Maker took too long to answer.")
    await model.until_left(3)
    await client.close()


async def test_a_provider_that_falls_silent_is_given_up(model):
    egress = Egress("127.0.0.0/8")
    client = Upstream(egress, Patience(idle=0.05))
    model.plays(Answer(gate=asyncio.Event()))
    fault = await fault_of(client, asking(model.openai_url))
    assert (fault.code, fault.message) == (Code.TIMEOUT, "Maker went silent.")
    await model.until_left()
    await client.close()


async def test_an_action_bounds_the_whole_call(model, client):
    model.plays(Answer(between=0.05, pieces=("x",) * 1000))
    fault = await fault_of(client, asking(model.openai_url, timeout=1.0))
    assert fault.code is Code.TIMEOUT
    await model.until_left()


async def test_who_stops_hearing_hangs_up(model, client):
    model.plays(Answer(gate=asyncio.Event()))
    with pytest.raises(BrokenOff):
        await client.ask(asking(model.openai_url), Said(once=True).hear)
    await model.until_left()


async def test_a_cancelled_call_hangs_up(model, client):
    model.plays(Answer(first=60))
    task = asyncio.create_task(said(client, asking(model.openai_url)))
    await until(lambda: model.answering > 0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await model.until_left()


async def test_connections_are_used_again(model, client):
    for _ in range(5):
        await said(client, asking(model.openai_url))
    assert len(model.connections) == 1


async def test_nobody_there_is_unavailable(client):
    fault = await fault_of(client, asking("http://127.0.0.1:9/v1", retries=0))
    assert (fault.code, "Maker could not be reached" in fault.message) == (Code.UNAVAILABLE, True)


async def test_an_address_of_ours_is_no_workspaces_to_ask(model):
    egress = Egress("")
    client = Upstream(egress, PATIENCE)
    fault = await fault_of(client, asking(model.openai_url))
    assert (fault.code, fault.field, model.asked) == (Code.INVALID, "url", [])
    assert await said(client, asking(model.openai_url, guarded=False)) == "Hello from the model."
    await client.close()


async def test_a_redirect_is_not_followed(model, client):
    model.plays(Answer(status=307, headers=(("Location", "http://127.0.0.1:9/"),)))
    assert (await fault_of(client, asking(model.openai_url))).code is Code.UPSTREAM


async def test_what_is_no_http_is_upstreams_fault(client):
    async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH\r\n")
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert (await fault_of(client, asking(f"http://127.0.0.1:{port}", retries=0))).code is Code.UPSTREAM
    server.close()

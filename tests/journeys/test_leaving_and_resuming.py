"""Readers that leave, come back elsewhere, or cancel: two gateways and two runners, over HTTP."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from tests.journeys.disconnects import VOICES, Reading, Voice
from tests.journeys.test_the_main_job import action
from tests.support.engine import Client, Engine
from tests.support.provider import Answer
from tests.support.servers import free_port
from tests.support.services import running
from tests.support.waiting import eventually, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

DISCONNECTS = 1000
WORDS = [f"w{n} " for n in range(2 * DISCONNECTS)]
# Runs are given to either runner: all of eight go to one of them once in 128 times, and nothing depends on it.
EACH = 8
# Soon: not when its linger would have ended it, which is fifteen seconds at the least.
SOON = 10.0


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def other(engine: Engine, nats_url, databases) -> AsyncIterator[str]:
    """The address of another gateway; there is another runner, too."""
    model = {"default_model_url": engine.upstream.openai_url, "default_model_name": "test-model"}
    port = free_port()
    async with (
        running("runner", nats_url, databases, **model),
        running("gateway", nats_url, databases, listen=f"127.0.0.1:{port}"),
    ):
        yield f"http://127.0.0.1:{port}"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(engine: Engine) -> Client:
    made = await engine.workspace("readers")
    await asyncio.sleep(1)  # a key's streams are broken off when a gateway reads that it has changed: that it is new
    return made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def asked(client: Client) -> dict[str, Any]:
    return {"action": await action(client, "{{question}}"), "input": {"question": "Why?"}}


def at(client: Client, url: str) -> Client:
    return Client(client.session, url, client.key)


def moved(url: str, to: str) -> str:
    """The same address at another gateway."""
    return urlsplit(url)._replace(netloc=urlsplit(to).netloc).geturl()


async def read(client: Client, url: str) -> list[str]:
    async with client.session.get(url) as stream:
        return [line.removeprefix("data: ") for line in (await stream.text()).splitlines() if line.startswith("data:")]


async def status(client: Client, run: str) -> str:
    return (await client.get(f"/v1/data/{run}"))["metadata"]["status"]


async def test_a_run_is_cancelled_from_any_gateway_and_every_follower_sees_it(engine, client, other, asked) -> None:
    engine.upstream.plays(*(Answer(gate=asyncio.Event()) for _ in range(EACH)))
    started = [await client.post("/v1/actions/", asked | {"streaming": True}) for _ in range(EACH)]
    addresses = [url for run in started for url in (run["streaming_url"], moved(run["streaming_url"], other))]
    reading = [asyncio.create_task(read(client, url)) for url in addresses]

    async def all_go_on() -> bool:
        return engine.upstream.answering == EACH

    await eventually(all_go_on)
    left, began = engine.upstream.left, time.monotonic()
    cancels = [at(client, other).post(f"/v1/data/{run['data_guid']}/cancel") for run in started]
    cancelled = await asyncio.gather(*cancels)
    await engine.upstream.until_left(left + EACH)
    assert time.monotonic() - began < SOON
    heard = await asyncio.gather(*reading)
    assert heard == [["BEGIN_STREAM", '{"token":"Hello"}', "END_STREAM"]] * (2 * EACH)
    for run, point in zip(started, cancelled, strict=True):
        assert (point["metadata"]["status"], point["completion"]) == ("cancelled", "Hello")
        assert point == await client.get(f"/v1/data/{run['data_guid']}")
        assert point == await client.post(f"/v1/data/{run['data_guid']}/cancel"), "once is enough"


async def test_a_blocking_caller_that_hangs_up_ends_its_run(engine, client, other, asked) -> None:
    engine.upstream.plays(Answer(gate=asyncio.Event()))
    left = engine.upstream.left
    calling = asyncio.create_task(at(client, other).post("/v1/actions/", asked))

    async def goes_on() -> bool:
        return engine.upstream.answering == 1

    await eventually(goes_on)
    calling.cancel()
    began = time.monotonic()
    await engine.upstream.until_left(left + 1)
    assert time.monotonic() - began < SOON

    async def ended() -> bool:
        point = (await client.get(f"/v1/actions/{asked['action']}/data"))["data"][0]
        return (point["metadata"]["status"], point["completion"]) == ("cancelled", "Hello")

    await eventually(ended)


async def test_a_caller_with_a_key_may_hang_up_and_ask_again(engine, client, other, asked) -> None:
    gate = asyncio.Event()
    engine.upstream.plays(Answer(gate=gate))
    headers = {"Authorization": f"Bearer {client.key}", "Idempotency-Key": "may-hang-up"}

    async def post() -> Any:
        async with client.session.post(f"{other}/v1/actions/", json=asked, headers=headers) as answer:
            return answer.status, await answer.json()

    calling = asyncio.create_task(post())

    async def goes_on() -> bool:
        return engine.upstream.answering == 1

    await eventually(goes_on)
    calling.cancel()
    await asyncio.sleep(1.5)
    gate.set()

    async def answered() -> Any:
        code, answer = await post()
        return answer if code == 200 else None

    assert (await eventually(answered))["msg"] == "Hello from the model."


async def test_another_workspaces_run_is_neither_resumed_nor_cancelled(engine, client, other, asked) -> None:
    stranger = await engine.workspace("stranger-to-readers")
    theirs = {"action": await action(stranger, "{{question}}"), "input": {"question": "Why?"}}
    gate = asyncio.Event()
    engine.upstream.plays(Answer(gate=gate))
    run = await client.post("/v1/actions/", asked | {"streaming": True})
    for url in (client.url, other):
        headers = {"Authorization": f"Bearer {stranger.key}", "Last-Event-ID": f"{run['data_guid']}-1"}
        for mode in ({}, {"streaming": True}, {"async_mode": True}):
            async with client.session.post(f"{url}/v1/actions/", json=theirs | mode, headers=headers) as answer:
                assert answer.status == 404
        assert (await at(stranger, url).call("POST", f"/v1/data/{run['data_guid']}/cancel"))[0] == 404
        own = (await stranger.post("/v1/actions/", theirs | {"streaming": True}))["streaming_url"]
        place = {"Last-Event-ID": f"{run['data_guid']}-1"}
        async with client.session.get(moved(own, url), headers=place) as answer:
            assert answer.status == 404
    assert await status(client, run["data_guid"]) == "running"
    gate.set()
    assert (await read(client, run["streaming_url"]))[-1] == "END_STREAM"


class Torn:
    """One run in which each beat is a word, and its reader, who is cut off again and again."""

    def __init__(self, client: Client, gateways: tuple[str, str]) -> None:
        self._client, self._gateways = client, gateways
        self.beats = asyncio.Semaphore(0)

    async def begin(self, voice: Voice, action: str) -> None:
        asking = await voice.asking(self._client, action)
        self.reading, self.again = Reading(voice, asking, self._client.key), Reading(voice, asking, self._client.key)
        self.beats.release()
        await self.reading.to_the_first_id(self._gateways[0])
        self.again.last = f"{self.reading.run}-0"

    async def go_on(self) -> None:
        reading, chosen, longest, read = self.reading, random.Random(3), 0.03, ""
        for n in range(1, DISCONNECTS):
            self.beats.release()
            seconds, most = chosen.uniform(0, longest), chosen.randrange(1, 3000)
            await reading.some(self._gateways[n % 2], seconds=seconds, most=most)
            if n % 50 == 0:
                longest *= 1 if len(reading.text) > len(read) else 2  # on a busy machine nothing comes so soon
                read = reading.text
        assert (await status(self._client, reading.run), reading.ended) == ("running", False)
        assert reading.text == "".join(WORDS)[: len(reading.text)]
        assert reading.text
        for _ in WORDS[DISCONNECTS:]:
            self.beats.release()
        await reading.some(self._gateways[1], seconds=60, most=1 << 24)
        assert (reading.text, reading.ended) == ("".join(WORDS), True)

    async def read_again(self) -> None:
        """After its end it is read the same way."""
        await self.again.some(self._gateways[1], seconds=0.5, most=2000)
        assert not self.again.ended
        await self.again.some(self._gateways[0], seconds=60, most=1 << 24)
        assert (self.again.text, self.again.ended) == ("".join(WORDS), True)


@pytest.mark.slow
async def test_a_thousand_disconnects_in_one_run_of_each_voice_lose_and_double_nothing(
    engine, client, other, asked
) -> None:
    """Side by side: most of it is waiting."""
    runs: list[Torn] = []
    for voice in VOICES.values():
        torn = Torn(client, (client.url, other))
        engine.upstream.plays(Answer(pieces=tuple(WORDS), beats=torn.beats))
        await torn.begin(voice, asked["action"])
        runs.append(torn)
        await until(lambda: engine.upstream.answering == len(runs))
    await asyncio.gather(*(torn.go_on() for torn in runs))
    await asyncio.gather(*(torn.read_again() for torn in runs))


async def test_a_stream_whose_gateway_stops_goes_on_at_another(engine, client, nats_url, databases, asked) -> None:
    gate, port = asyncio.Event(), free_port()
    engine.upstream.plays(Answer(gate=gate))
    reading = Reading(VOICES["klu"], await VOICES["klu"].asking(client, asked["action"]), client.key)
    async with running("gateway", nats_url, databases, listen=f"127.0.0.1:{port}"):
        there = asyncio.create_task(reading.some(f"http://127.0.0.1:{port}", seconds=None, most=1 << 20))
        await until(lambda: b"Hello" in reading.came)
    await there
    assert (reading.text, reading.ended) == ("Hello", False)
    gate.set()
    await reading.some(client.url, seconds=60, most=1 << 20)
    assert (reading.text, reading.ended) == ("Hello from the model.", True)

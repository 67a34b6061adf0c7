"""A runner is killed amid runs: every client comes to an end it can act on, and each run is told of once."""

import asyncio
import json
from collections import Counter
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.journeys.test_the_main_job import action
from tests.services.runner.test_death import until_written
from tests.support.engine import Client, Engine
from tests.support.processes import process
from tests.support.provider import Answer
from tests.support.servers import Databases
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

TEXT = "Hello from the model."
# Each runner gets some: that one gets all happens once in thirty thousand times.
_EACH = 16


async def stream(client: Client, url: str) -> str:
    async with client.session.get(url) as answer:
        return await answer.text()


def said(stream: str) -> str:
    lines = [line.removeprefix("data: ") for line in stream.splitlines() if line.startswith('data: {"token"')]
    return "".join(json.loads(line)["token"] for line in lines)


async def written(databases: Databases, runs: list[str]) -> None:
    """Returns once the first word of all these runs is in the database."""
    connection = await asyncpg.connect(databases.dsn("runner"))
    await until_written(connection, *map(UUID, runs))
    await connection.close()


async def result(client: Client, run: dict[str, Any]) -> dict[str, Any]:
    async def ended() -> dict[str, Any] | None:
        found = await client.get(f"/v1/data/{run['data_guid']}/result")
        return found if found["status"] != "PENDING" else None

    return await eventually(ended)


@pytest.mark.slow
async def test_a_killed_runner_costs_no_client_its_end(engine: Engine, nats_url, databases) -> None:
    client = await engine.workspace("dead-runner")
    await client.post("/api/webhooks", {"url": engine.receiver.url, "events": ["*"]})
    body = {"action": await action(client, "{{question}}"), "input": {"question": "Why?"}}
    gate = asyncio.Event()
    engine.upstream.plays(*(Answer(gate=gate) for _ in range(2 * _EACH)))
    settings = {"default_model_url": engine.upstream.openai_url, "default_model_name": "test-model"}
    async with process("runner", nats_url, databases, **settings) as doomed:
        await asyncio.sleep(
            1
        )  # a key's streams are broken off when the gateway reads that it has changed: that it is new
        streaming = [await client.post("/v1/actions", body | {"streaming": True}) for _ in range(_EACH)]
        reading = [asyncio.create_task(stream(client, run["streaming_url"])) for run in streaming]
        later = [await client.post("/v1/actions", body | {"async_mode": True}) for _ in range(_EACH)]

        async def all_go_on() -> bool:
            return engine.upstream.answering == 2 * _EACH

        await eventually(all_go_on)
        await written(databases, [run["data_guid"] for run in streaming + later])
        await doomed.kill()
        async with asyncio.timeout(60):
            await asyncio.wait(reading, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(2.5)
        gate.set()
        heard = await asyncio.gather(*reading)

    failed = [text for text in heard if "FatalError" in text]
    assert 0 < len(failed) < _EACH
    assert all("data: END_STREAM" in text.splitlines()[-3:] for text in heard)
    assert {said(text) for text in failed} == {"Hello"}
    assert {said(text) for text in heard if text not in failed} == {TEXT}
    assert [(await result(client, run))["msg"] for run in later] == [TEXT] * _EACH
    kept = [await client.get(f"/v1/data/{run['data_guid']}") for run in streaming]
    assert Counter(point["completion"] for point in kept) == {"Hello": len(failed), TEXT: _EACH - len(failed)}

    def told() -> Counter[str]:
        return Counter(json.loads(each.body)["event"] for each in engine.receiver.received)

    async def all_told() -> bool:
        return sum(told().values()) >= 2 * _EACH

    await eventually(all_told)
    assert told() == {"generation.failed": len(failed), "generation.completed": 2 * _EACH - len(failed)}

"""The whole engine on this machine with its real model, as `make up` starts it."""

import asyncio
import json
import os
import signal
import stat
import sys
import time

import aiohttp
import asyncpg
import nats
import psutil
import pytest

from deploy import smoke
from deploy.local.demo import PAGES, PHRASE, QUESTION
from tests.support.local import Local, local
from tests.support.provider import provider

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with local(tmp_path_factory.mktemp("up")) as engine:
        yield engine


async def until(held, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not await held():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


async def test_the_built_in_model_answers_the_demo_question_in_the_words_of_the_document(engine: Local):
    body = {"action": engine.told["action"], "input": {"question": QUESTION}}
    status, answer = await engine.call("POST", "/v1/actions", body)
    assert status == 200
    assert PHRASE in answer["msg"]
    _, point = await engine.call("GET", f"/v1/data/{answer['data_guid']}")
    assert point["meta_data"]["sources"]


async def test_the_printed_commands_work_as_they_are_pasted(engine: Local):
    ask, grounded, rate = smoke.commands(engine.printed.read_text())
    assert (await asyncio.to_thread(smoke.paste, ask))["msg"]
    answer = await asyncio.to_thread(smoke.paste, grounded)
    assert PHRASE in answer["msg"]
    rated = await asyncio.to_thread(smoke.paste, rate)
    assert (rated["data_guid"], rated["value"]) == (answer["data_guid"], 2)


async def test_the_credentials_are_their_owners_alone_and_what_the_ready_file_tells(engine: Local):
    for name in ("credentials.json", "secrets.json"):
        assert stat.S_IMODE((engine.folder / "data" / name).stat().st_mode) == 0o600
    told = engine.told
    assert {
        name: told[name] for name in engine.credentials if name != "plain_action"
    }.items() <= engine.credentials.items()
    assert all(engine.told.values())


@pytest.mark.parametrize("command", ["gateway admin workspaces list", "feedback dead-letters list"])
async def test_the_commands_of_a_service_work_with_its_address_from_the_ready_file(engine: Local, command: str):
    service, *words = command.split()
    environment = os.environ | {"POSTGRES_DSN": engine.told["dsns"][service]}
    module = [sys.executable, "-m", f"services.{service}", *words, "--json"]
    done = await asyncio.create_subprocess_exec(*module, env=environment, stdout=asyncio.subprocess.PIPE)
    printed, _ = await done.communicate()
    assert done.returncode == 0
    assert isinstance(json.loads(printed), list)


async def test_the_servers_of_the_ready_file_can_be_looked_into(engine: Local):
    bus = await nats.connect(engine.told["nats"])
    assert (await bus.jetstream().stream_info("EVENTS")).config.name == "EVENTS"
    await bus.close()
    postgres = await asyncpg.connect(engine.told["postgres"])
    assert await postgres.fetchval("SELECT count(*) FROM runner.runs") is not None
    await postgres.close()


async def test_the_gateway_listens_on_both_loopback_addresses(engine: Local):
    port = engine.told["gateway"].rpartition(":")[2]
    async with aiohttp.ClientSession() as session, session.get(f"http://[::1]:{port}/health") as response:
        assert response.status == 200


async def test_a_service_that_ends_is_told_of_and_started_again(engine: Local):
    [feedback] = [child for child in engine.children() if child.cmdline()[-1:] == ["services.feedback"]]
    feedback.kill()
    asked = {"action": engine.told["action"], "input": {"question": QUESTION}}
    _, answer = await engine.call("POST", "/v1/actions", asked)
    rating = {"data_guid": answer["data_guid"], "type": "rating", "value": 1}

    async def rated() -> bool:
        status, _ = await engine.call("POST", "/v1/feedback", rating)
        return status == 200

    await until(rated)
    assert "feedback ended with status -9; it is started again" in engine.printed.read_text()


@pytest.mark.slow
async def test_a_second_start_finds_everything_and_makes_what_is_missing(tmp_path):
    with local(tmp_path) as first:
        told, asked = first.told, {"action": first.told["action"], "input": {"question": QUESTION}}
        _, answer = await first.call("POST", "/v1/actions", asked)
        _, listed = await first.call("GET", f"/v1/context/{told['context']}/documents")
        await first.call("DELETE", f"/v1/context/{told['context']}/documents/{listed['data'][0]['guid']}")
        assert first.interrupt() == 0
        assert not (tmp_path / "ready.json").exists()
    with local(tmp_path) as second:
        assert (second.told["api_key"], second.told["action"]) == (told["api_key"], told["action"])
        status, point = await second.call("GET", f"/v1/data/{answer['data_guid']}")
        assert (status, point["output"]) == (200, answer["msg"])
        _, listed = await second.call("GET", f"/v1/context/{told['context']}/documents")
        assert sorted(document["name"] for document in listed["data"]) == sorted(PAGES)
        _, again = await second.call("POST", "/v1/actions", asked)
        assert PHRASE in again["msg"]


@pytest.mark.slow
async def test_a_killed_launcher_leaves_no_orphan_and_its_data_can_be_used_again(tmp_path):
    with local(tmp_path) as engine:
        _, listed = await engine.call("GET", f"/v1/context/{engine.told['context']}/documents")
        started = engine.children()
        assert len(started) > 7
        engine.process.send_signal(signal.SIGKILL)
        engine.process.wait()
        _, alive = psutil.wait_procs(started, timeout=60)
        assert alive == []
    (tmp_path / "ready.json").unlink()
    with local(tmp_path) as engine:
        _, again = await engine.call("GET", f"/v1/context/{engine.told['context']}/documents")
        assert {document["guid"] for document in again["data"]} == {document["guid"] for document in listed["data"]}


@pytest.mark.slow
async def test_another_instance_runs_beside_it_with_more_workers_and_a_model_from_elsewhere(engine: Local, tmp_path):
    async with provider() as upstream:
        wanted = ("--model-url", upstream.openai_url, "--model-name", "elsewhere", "--workers", "gateway=2,runner=2")
        with local(tmp_path, *wanted) as other:
            assert other.told["api_key"] != engine.told["api_key"]
            asked = {"action": other.told["action"], "input": {"question": QUESTION}}
            status, answer = await other.call("POST", "/v1/actions", asked)
            assert (status, answer["msg"]) == (200, upstream.default.text)
            assert upstream.asked[-1].body["model"] == "elsewhere"
            names = [child.cmdline()[-1] for child in other.children()]
            assert (names.count("services.gateway"), names.count("services.runner")) == (2, 2)
            assert "deploy.local.model" not in str([child.cmdline() for child in other.children()])
            status, _ = await other.call("GET", f"/v1/actions/{engine.told['action']}")
            assert status == 404


@pytest.mark.slow
async def test_a_server_that_ends_takes_the_engine_down_with_a_clear_line(tmp_path):
    with local(tmp_path) as engine:
        [server] = [child for child in engine.children() if child.name() == "nats-server"]
        os.kill(server.pid, signal.SIGKILL)
        assert engine.process.wait(60) == 1
        assert "NATS ended with status -9, and nothing works without it" in engine.printed.read_text()

"""Chat completions under Klu's root: who may ask, what reaches the model, and how it is told."""

import json
import re
import time
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio

from tests.support.engine import Client, Engine
from tests.support.provider import refusal

pytestmark = pytest.mark.asyncio

PATH = "/v1/chat/completions"
ASKED = {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def made(engine: Engine) -> SimpleNamespace:
    client = await engine.workspace("completions")
    app = (await client.post("/v1/apps", {"name": "Support"}))["guid"]
    action = await client.post("/v1/actions/create", {"name": "Answer", "prompt": "Answer: {{q}}", "app": app})
    other = await client.post("/v1/actions/create", {"name": "Other", "prompt": "{{q}}", "app": app})
    return SimpleNamespace(client=client, action=action["guid"], other=other["guid"])


@pytest_asyncio.fixture(loop_scope="session")
async def payload(made: SimpleNamespace) -> dict[str, Any]:
    return await made.client.post(f"/v1/actions/{made.action}/gateway_payload", {"input": {"q": "Why?"}})


async def asked(client: Client, body: dict[str, Any], **headers: str) -> tuple[int, Any]:
    return await client.call("POST", PATH, body, headers={"Authorization": f"Bearer {client.key}"} | headers)


async def events(client: Client, body: dict[str, Any], **headers: str) -> list[Any]:
    _, text = await asked(client, body | {"stream": True}, **headers)
    data = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    assert data.pop() == "[DONE]"
    return [json.loads(one) for one in data]


async def test_a_key_asks_the_model_of_the_action_it_names(made, engine):
    engine.says("Because.")
    status, answer = await asked(made.client, ASKED | {"temperature": 0.5}, **{"x-klu-action-guid": made.action})
    assert status == 200
    [choice] = answer["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("Because.", "stop")
    assert answer["usage"] == {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}
    sent = engine.upstream.asked[-1].body
    assert (sent["messages"], sent["temperature"]) == (ASKED["messages"], 0.5)
    point = await made.client.get(f"/v1/data/{answer['id'].removeprefix('chatcmpl-')}")
    assert (point["action"], point["completion"]) == (made.action, "Because.")


@pytest.mark.parametrize("named", ["Answer", "guid"])
async def test_the_model_may_name_the_action(made, engine, named):
    status, answer = await asked(made.client, ASKED | {"model": made.action if named == "guid" else named})
    assert (status, answer["model"]) == (200, made.action if named == "guid" else named)


async def test_a_completion_asked_for_twice_under_one_key_is_one(made, payload, engine):
    engine.says("Once.")
    before = len(engine.upstream.asked)
    headers = payload["headers"] | {"Idempotency-Key": "one-completion"}
    body = {key: value for key, value in payload.items() if key != "headers"}
    first, again = [await made.client.call("POST", PATH, body, headers=headers) for _ in range(2)]
    assert first == again
    assert first[0] == 200
    assert len(engine.upstream.asked) == before + 1


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("unheeded", "field"),
    [
        ({"messages": []}, "messages"),
        ({"n": 2}, "n"),
        ({"n": 0}, "n"),
        ({"modalities": ["audio"]}, "modalities"),
        ({"functions": [{"name": "look"}]}, "functions"),
    ],
)
async def test_what_no_answer_would_have_is_refused_by_its_name(made, engine, unheeded, field, streamed):
    before = len(engine.upstream.asked)
    status, answer = await asked(made.client, ASKED | {"model": "Answer", "stream": streamed} | unheeded)
    assert status == 422
    assert re.search(rf"\b{field}\b", answer["message"])
    assert len(engine.upstream.asked) == before


async def test_one_answer_may_be_asked_for_by_number(made, engine):
    engine.says("Because.")
    status, answer = await asked(made.client, ASKED | {"model": "Answer", "n": 1})
    assert (status, len(answer["choices"])) == (200, 1)


async def test_it_streams_as_openai_does(made, engine):
    engine.says("Be", "cause.")
    body = ASKED | {"model": "Answer", "stream_options": {"include_usage": True}}
    first, *said, last, usage = await events(made.client, body)
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert "".join(chunk["choices"][0]["delta"]["content"] for chunk in said) == "Because."
    assert (last["choices"][0]["delta"], last["choices"][0]["finish_reason"]) == ({}, "stop")
    assert (usage["choices"], usage["usage"]["total_tokens"]) == ([], 17)
    assert len({chunk["id"] for chunk in (first, *said, last, usage)}) == 1


async def test_a_failure_within_a_stream_is_told_in_it(made, engine):
    engine.upstream.plays(refusal(400, "Too long"))
    told = await events(made.client, ASKED | {"model": "Answer"})
    assert "Too long" in told[-1]["error"]["message"]


async def test_a_payload_s_token_asks_for_what_was_rendered(made, payload, engine):
    headers = payload.pop("headers")
    assert payload["messages"] == [{"role": "user", "content": "Answer: Why?"}]
    engine.says("Because.")
    status, answer = await asked(made.client, payload, **headers)
    assert (status, answer["choices"][0]["message"]["content"]) == (200, "Because.")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"model": "another"}, 403),
        ({"action": "other"}, 403),
        ({"token": "pvg_nothing"}, 401),
        ({"messages": []}, 422),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 422),
    ],
)
async def test_a_payload_s_token_is_for_its_action_and_model_alone(made, payload, change, status):
    headers, body = payload.pop("headers"), payload | {key: change[key] for key in change if key in payload}
    if "action" in change:
        headers["x-klu-action-guid"] = made.other
    if "token" in change:
        headers["Authorization"] = f"Bearer {change['token']}"
    found, answer = await asked(made.client, body, **headers)
    assert found == status
    assert answer["message"]


async def test_a_payload_s_token_opens_nothing_else(made, payload):
    status, _ = await made.client.call("GET", "/v1/apps", headers=payload["headers"])
    assert status == 401


async def test_a_payload_s_token_expires(made, payload, monkeypatch):
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 901)
    status, answer = await asked(made.client, payload | {"headers": None}, **payload["headers"])
    assert (status, answer["error"]) == (401, "UNAUTHORIZED")


async def test_without_a_credential_or_an_action_nothing_is_asked(made, engine):
    assert (await engine.anonymous().call("POST", PATH, ASKED))[0] == 401
    assert (await asked(made.client, ASKED))[0] == 422
    assert (await asked(made.client, ASKED | {"model": "nobody"}))[0] == 404

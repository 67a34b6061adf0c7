"""Two workspaces that can't see each other: every route of every voice, asked by one with the other's ids."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import pytest_asyncio

from services.gateway.__main__ import VOICES
from services.gateway.directory import passwords, people
from tests.journeys.test_the_main_job import action, context_with
from tests.support.engine import Client, Engine

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROUTES = sorted({(route.method, voice.mounts[0] + route.path) for voice in VOICES for route in voice.routes})
NAMED = [route for route in ROUTES if "{" in route[1]]
LISTS = [(method, path) for method, path in ROUTES if "{" not in path and method == "GET"]

# Where a body names something, it names the other's: each of these is asked for what the caller does not have.
CREATIONS = {
    "/v1/actions": {"action": "action", "input": "x"},
    "/v1/actions/create": {"name": "x", "prompt": "x", "app": "app", "action_type": "prompt"},
    "/v1/feedback": {"data_guid": "run", "type": "rating", "value": 2},
    "/v1/sessions": {"action": "action"},
    "/v1/chat": {"message": "x", "conversation_id": "session"},
    "/klairo/api/chat": {"message": "x", "context": {"contact_id": "theirs"}},
    "/api/chat": {"message": "x", "stream": False, "previous_response_id": "run"},
}

# A key makes no keys: these are asked for by who is logged in.
BY_TOKEN = "/api/keys"


async def logged_in(engine: Engine, name: str) -> Client:
    """The owner of a workspace, with a token in the place of a key."""
    async with engine.database.transaction() as connection:
        account = await people.find_account(connection, f"{name}@example.com")
        await people.set_password(connection, account.id, passwords.hashed("correct horse"))
    body = {"email": account.email, "password": "correct horse"}
    token = (await engine.anonymous().post("/api/auth/login", body))["token"]
    return Client(engine.session, engine.url, token)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def owned(engine: Engine) -> tuple[Client, dict[str, str]]:
    """One workspace with one of everything, by what the routes call it."""
    client = await engine.workspace("owner")
    ids = await knowledge(client)
    ids |= await runs(engine, client, ids["contexts"])
    ids |= await trials(client, ids["actions"], ids["data"])
    ids |= await models(engine, client)
    ids |= await automations(client)
    ids |= await belongings(engine, client)
    return client, ids


def called(id: str, *names: str) -> dict[str, str]:
    return dict.fromkeys(names, id)


async def knowledge(client: Client) -> dict[str, str]:
    context, document = await context_with(client, "The safe's code is 4711.")
    return {
        **called(context, "context", "contexts", "datasources"),
        **called(document, "documents", "datasource_entries", "entries"),
        "datasource_types": "of-another-workspace",
    }


async def runs(engine: Engine, client: Client, context: str) -> dict[str, str]:
    """An action with a run of its own, which was rated, and a session."""
    asked = await action(client, "Say {{word}}.", context=context)
    app = (await client.get(f"/v1/actions/{asked}"))["app"]
    engine.says("Hush.")
    run = (await client.post("/v1/actions", {"action": asked, "input": {"word": "it"}}))["data_guid"]
    rating = await client.post("/v1/feedback", {"data_guid": run, "type": "rating", "value": 1})
    session = await client.post("/v1/sessions", {"action": asked})
    return {
        "actions": asked,
        **called(app, "app", "apps"),
        **called(run, "data", "chat", "responses"),
        **called(session["guid"], "run", "sessions"),
        "feedback": rating["guid"],
    }


async def trials(client: Client, action_id: str, run: str) -> dict[str, str]:
    variants = {"action_primary_guid": action_id, "action_secondary_guid": await action(client, "Name {{word}}.")}
    experiment = await client.post("/v1/experiments/", {"name": "x"} | variants)
    dataset = (await client.post("/v1/datasets", {"name": "x", "data": [run]}))["guid"]
    checks = {"action": action_id, "eval_types": ["exact"], "dataset": dataset}
    eval = await client.post("/v1/evals", {"name": "x"} | checks)
    finetune = await client.post("/v1/finetune", {"name": "x", "dataset": dataset})
    return {
        "experiments": experiment["guid"],
        "datasets": dataset,
        "evals": eval["guid"],
        "finetune": finetune["guid"],
    }


async def models(engine: Engine, client: Client) -> dict[str, str]:
    own = {"llm": "own", "provider": "own", "url": engine.upstream.openai_url, "key": "secret-key"}
    model = await client.post("/v1/models/", own)
    providers = await client.get("/v1/models/provider/")
    provider = next(each["guid"] for each in providers if each["provider"] == "own")
    return {"models": model["guid"], "provider": provider}


async def automations(client: Client) -> dict[str, str]:
    """One that waits. Klu calls it a workflow, and has two spellings of the address of its results."""
    steps = [{"type": "wait", "config": {"seconds": 3600}}]
    automation = (await client.post("/api/automations", {"name": "x", "steps": steps}))["id"]
    waiting = (await client.post(f"/api/automations/{automation}/trigger"))["run_id"]
    return called(automation, "automations", "workflows", "") | called(waiting, "runs", "result")


async def belongings(engine: Engine, client: Client) -> dict[str, str]:
    """What else a workspace has, and itself."""
    workspace = (await client.get("/v1/workspaces"))[0]["guid"]
    hook = await client.post("/api/webhooks", {"url": engine.receiver.url, "events": ["*"]})
    contact = await client.post("/api/contacts", {"name": "Somebody", "email": "somebody@example.com"})
    skill = await client.post("/v1/skills", {"name": "find", "type": "search_context"})
    key = await (await logged_in(engine, "owner")).post("/api/keys", {"name": "own"})
    return {
        **called(workspace, "workspace", "workspaces"),
        "webhooks": hook["id"],
        "contacts": contact["id"],
        "skills": skill["guid"],
        "keys": key["id"],
    }


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stranger(engine: Engine) -> Client:
    client = await engine.workspace("stranger")
    await action(client, "Say {{word}}.")
    return client


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def strangers(engine: Engine, stranger: Client) -> Callable[[str], Client]:
    """Whom the stranger is to be for a path."""
    person = await logged_in(engine, "stranger")
    return lambda path: person if path.replace("/v1/", "/api/").startswith(BY_TOKEN) else stranger


def filled(path: str, ids: dict[str, str]) -> str:
    """The path with the owner's ids: each variable stands for what the word before it names."""
    words = path.split("/")
    return "/".join(ids[words[n - 1]] if re.fullmatch(r"{.*}", word) else word for n, word in enumerate(words))


def body_for(path: str, ids: dict[str, str]) -> dict[str, Any]:
    if "/webhooks/" in path:
        return {"url": "https://example.com"}
    if "/automations/" in path:
        return {}
    if path.startswith("/v1/datasets/"):
        return {"name": "x", "data": [ids["data"]]}
    every = {"name": "x", "input": "x", "text": "x", "content": "x", "prompt": "x", "type": "rating", "value": 2}
    every |= {"files": ["https://example.com/a.txt"], "context": [ids["context"]], "llm": "x", "provider": "x"}
    every |= {"url": "https://example.com", "key": "x", "entry_data": {"content": "x"}, "version": 1, "skills": []}
    return every | ({"input": {}} if path.startswith("/api/apps") else {})


@pytest.mark.parametrize(("method", "path"), NAMED)
async def test_what_another_workspace_owns_is_not_there(
    strangers: Callable[[str], Client], owned: tuple[Client, dict[str, str]], method: str, path: str
) -> None:
    _, ids = owned
    with_body = method in ("POST", "PUT", "PATCH") or path == "/v1/datasets/{guid}/data"
    body = body_for(path, ids) if with_body else None

    status, answer = await strangers(path).call(method, filled(path, ids), body)

    assert status == 404, answer
    assert "4711" not in json.dumps(answer)


@pytest.mark.parametrize(("method", "path"), LISTS)
async def test_a_list_shows_nothing_of_another_workspace(
    strangers: Callable[[str], Client], owned: tuple[Client, dict[str, str]], method: str, path: str
) -> None:
    _, ids = owned

    _, answer = await strangers(path).call(method, path)

    text = json.dumps(answer)
    assert not [name for name, id in ids.items() if id in text]


@pytest.mark.parametrize("path", CREATIONS)
async def test_a_body_that_names_what_another_owns_is_refused(
    stranger: Client, owned: tuple[Client, dict[str, str]], path: str
) -> None:
    _, ids = owned
    theirs = {"action": ids["actions"], "app": ids["apps"], "run": ids["data"], "session": ids["sessions"]}
    body = {
        name: theirs.get(value, value) if isinstance(value, str) else value for name, value in CREATIONS[path].items()
    }
    if "context" in body:
        body["context"] = {"contact_id": ids["contacts"]}

    status, answer = await stranger.call("POST", path, body)

    assert status == 404, answer


async def test_a_stranger_without_a_key_is_told_so(engine: Engine) -> None:
    for method, path in ROUTES:
        status, _ = await engine.anonymous().call(
            method, re.sub(r"{\w+(:\.\+)?}", "x", path.replace(r"{unnamed:\$[^/]+}", "$unnamed"))
        )
        assert status in (401, 403), (method, path)

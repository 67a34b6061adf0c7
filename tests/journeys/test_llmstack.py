"""LLMStack's clients beside Klu's: one library, one memory, whoever adds to it and whoever asks."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from tests.journeys.test_the_main_job import FACT, action, context_with
from tests.services.retrieval.readers import files as made
from tests.support.engine import Client, Engine
from tests.support.waiting import eventually
from tests.support.web import site

pytestmark = pytest.mark.asyncio(loop_scope="session")

API = "/llmstack/api"


async def ready(client: Client, datasource: str, count: int = 1) -> dict[str, dict[str, Any]]:
    """The entries by name, once so many are read."""

    async def look() -> dict[str, dict[str, Any]] | None:
        entries = await client.get(f"{API}/datasources/{datasource}/entries")
        done = len(entries) == count and all(entry["status"] != "PROCESSING" for entry in entries)
        return {entry["name"]: entry for entry in entries} if done else None

    return await eventually(look)


async def lines(engine: Engine, client: Client, path: str, body: Any, **headers: str) -> AsyncIterator[dict[str, Any]]:
    headers["Authorization"] = f"Token {client.key}"
    async with engine.session.post(client.url + path, json=body, headers=headers) as stream:
        async for line in stream.content:
            yield json.loads(line)


def asked(engine: Engine) -> str:
    return json.dumps(engine.upstream.asked[-1].body)


async def test_what_is_added_here_is_found_there_and_the_other_way_round(engine: Engine) -> None:
    client = await engine.workspace("llmstack-library")
    datasource = (await client.post(f"{API}/datasources", {"name": "Coast", "type": "text"}))["uuid"]
    entry = {"entry_data": {"name": "Sable Point", "content": FACT}, "entry_metadata": {"topic": "coast"}}
    added = await client.post(f"{API}/datasources/{datasource}/entries", entry)
    assert (await ready(client, datasource))["Sable Point"]["metadata"] == {"source": "Sable Point", "topic": "coast"}

    # A Klu action is grounded in it, by either spelling of a filter's key.
    ask = await action(client, "{{question}}", context=datasource)
    for filter in ({"topic": "coast"}, {"md_topic": "coast", "md_source": "Sable Point"}):
        engine.says("In 1874.")
        await client.post(
            "/v1/actions", {"action": ask, "input": {"question": "When was it lit?"}, "metadata_filter": filter}
        )
        assert FACT in asked(engine)

    # A document of Klu's grounds an LLMStack app.
    context, document = await context_with(client, "Boats leave the harbour at six.", topic="harbour")
    app = await client.post(
        f"{API}/apps", {"name": "Harbour", "prompt": "{{question}}", "datasources": [context, datasource]}
    )
    engine.says("At six.")
    run = await client.post(f"{API}/apps/{app['uuid']}/run", {"input": {"question": "When do boats leave?"}})
    assert run["output"] == "At six."
    assert "Boats leave the harbour at six." in asked(engine)
    assert (await client.get(f"{API}/datasource_entries/{document}/text_content"))["content"].startswith("Boats")

    # What one deletes is gone for both.
    await client.ok("DELETE", f"{API}/datasource_entries/{added['uuid']}")
    found = await client.post(f"/v1/context/{datasource}/search", {"prompt": "Sable Point lit", "metadata_filter": {}})
    assert found == []
    await client.ok("DELETE", f"/v1/context/{context}/documents/{document}")
    assert (await client.call("GET", f"{API}/datasource_entries/{document}"))[0] == 404
    engine.says("I do not know.")
    await client.post(f"{API}/apps/{app['uuid']}/run", {"input": {"question": "When do boats leave?"}})
    assert "Boats leave the harbour" not in asked(engine)
    await client.ok("DELETE", f"{API}/datasources/{datasource}")
    assert (await client.call("GET", f"/v1/context/{datasource}"))[0] == 404


async def test_files_addresses_and_sitemaps_become_entries_that_are_read(engine: Engine) -> None:
    client = await engine.workspace("llmstack-files")
    datasource = (await client.post(f"{API}/datasources", {"name": "All", "type": 4}))["uuid"]
    path = f"{API}/datasources/{datasource}"
    pdf = base64.b64encode(made.pdf("The lighthouse was built in 1874.")).decode()

    async def page(request: web.Request) -> web.Response:
        if request.path == "/sitemap.xml":
            named = f"<url><loc>http://{request.host}/boats</loc></url><url><loc>http://{request.host}/nets</loc></url>"
            return web.Response(text=f"<urlset>{named}</urlset>", content_type="application/xml")
        return web.Response(text=f"<p>The page of {request.path[1:]}.</p>", content_type="text/html")

    async with site(page) as url:
        await client.post(f"{path}/entries", {"entry_data": {"file": f"data:application/pdf;name=a.pdf;base64,{pdf}"}})
        await client.post(f"{path}/add_entry", {"entry_data": {"name": "notes.md", "file": "IyBOb3Rlcw=="}})
        urls = {"entry_data": {"url": f"{url}/one,{url}/two\n{url}/sitemap.xml"}, "entry_metadata": {"lang": "en"}}
        assert len((await client.post(f"{path}/add_entry_async", urls))["entries"]) == 3
        entries = await ready(client, datasource, 7)
    assert {entry["status"] for entry in entries.values()} == {"READY"}
    assert entries.keys() == {"a.pdf", "notes.md", "one", "two", "sitemap.xml", "boats", "nets"}
    assert entries["nets"]["metadata"] == {"source": f"{url}/nets", "lang": "en"}
    text = await client.get(f"{path}/entries/{entries['a.pdf']['uuid']}/text_content")
    assert "lighthouse" in text["content"]
    assert (await client.call("POST", f"{path}/entries", {"entry_data": {"url": "http://169.254.169.254/"}}))[0] == 400


async def test_an_app_is_run_by_its_id_and_changed_by_its_prompt(engine: Engine) -> None:
    client = await engine.workspace("llmstack-apps")
    app = await client.post(f"{API}/apps", {"name": "Poet", "description": "Rhymes", "prompt": "A line on {{theme}}."})
    run = f"{API}/apps/{app['uuid']}/run"
    engine.says("Roses are red.")
    assert (await client.post(run, {"input": {"theme": "roses"}}))["output"] == "Roses are red."
    changed = await client.ok("PATCH", f"{API}/apps/{app['uuid']}", {"prompt": "A verse on {{theme}}.", "name": "Bard"})
    assert (changed["name"], changed["description"], changed["prompt"]) == ("Bard", "Rhymes", "A verse on {{theme}}.")
    engine.says("Violets are blue.")
    await client.post(run, {"input": {"theme": "violets"}})
    assert "A verse on violets." in asked(engine)
    status, answer = await client.call("POST", run, {"input": {}})
    assert (status, "theme" in answer["errors"][0]) == (400, True)
    [klu] = await client.get("/v1/apps")
    assert klu["guid"] == app["uuid"]
    [klus_action] = await client.get(f"/v1/apps/{klu['guid']}/actions")
    engine.says("By its action.")
    by_action = await client.post(f"{API}/apps/{klus_action['guid']}/run", {"input": {"theme": "x"}})
    assert by_action["output"] == "By its action."
    await client.ok("DELETE", f"{API}/apps/{app['uuid']}")
    assert (await client.call("POST", run, {"input": {"theme": "x"}}))[0] == 404


async def test_a_session_begun_in_klu_goes_on_here_and_the_other_way_round(engine: Engine) -> None:
    client = await engine.workspace("llmstack-sessions")
    app = (await client.post(f"{API}/apps", {"name": "Talk", "prompt": "{{line}}"}))["uuid"]
    ask = (await client.get(f"/v1/apps/{app}/actions"))[0]["guid"]
    session = (await client.post("/v1/sessions", {"action": ask}))["guid"]
    engine.says("Hello Ada.")
    await client.post("/v1/actions", {"action": ask, "input": {"line": "I am Ada."}, "session": session})
    engine.says("Ada.")
    went_on = await client.post(f"{API}/apps/{app}/run/{session}", {"input": {"line": "Who am I?"}})
    assert went_on["session"]["id"] == session
    assert [turn["content"] for turn in engine.upstream.asked[-1].body["messages"]][-3:-1] == [
        "I am Ada.",
        "Hello Ada.",
    ]

    engine.says("Hello Bob.")
    begun = await client.post(f"{API}/apps/{app}/run", {"input": {"line": "I am Bob."}})
    engine.says("Bob.")
    body = {"action": ask, "input": {"line": "Who am I?"}, "session": begun["session"]["id"]}
    assert (await client.post("/v1/actions", body))["msg"] == "Bob."
    assert "I am Bob." in asked(engine)


async def test_a_stream_may_be_read_again_from_its_beginning_and_whole(engine: Engine) -> None:
    client = await engine.workspace("llmstack-streams")
    app = (await client.post(f"{API}/apps", {"name": "Count", "prompt": "Count."}))["uuid"]
    path, words = f"{API}/apps/{app}/run/visitor 7", [f"w{n} " for n in range(300)]
    engine.says(*words)
    told = [line async for line in lines(engine, client, path, {"input": {}, "stream": True})]
    assert told[0]["session"] == {"id": "visitor 7"}
    assert "".join(line["output"] for line in told[1:]) == "".join(words)

    seen = len(engine.upstream.asked)
    place = {"Last-Event-ID": f"{told[0]['_id']}-0"}
    again = [line async for line in lines(engine, client, path, {"input": {}, "stream": True}, **place)]
    assert again[0] == told[0]
    assert "".join(line["output"] for line in again[1:]) == "".join(words)
    [whole] = [line async for line in lines(engine, client, path, {"input": {}}, **place)]
    assert whole == told[0] | {"output": "".join(words)}
    assert len(engine.upstream.asked) == seen

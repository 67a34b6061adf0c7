"""Skills over the whole engine, as curl makes them: of every type, on an action, and called by a run."""

import pytest
import pytest_asyncio

from services.runner.tools.builtin.names import IDS
from tests.services.runner.toolcases import CITY, tool_site
from tests.support.engine import Client
from tests.support.mcp_server import mcp_server
from tests.support.provider import Answer, Call, calling

pytestmark = pytest.mark.asyncio

SEARCH = "00000000-0000-7000-8000-000000000003"
WEATHER = {"name": "weather", "type": "http", "method": "GET", "parameters": CITY}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(engine) -> Client:
    return await engine.workspace("agents")


async def test_a_skill_is_made_shown_changed_and_deleted(engine):
    client = await engine.workspace("skills")
    made = await client.post(
        "/v1/skills/",
        {
            **WEATHER,
            "url": "https://weather.example/{city}",
            "headers": {"X-Key": "very-secret"},
            "meta_data": {"a": 1},
        },
    )
    assert (made["type"], made["url"], made["headers"]) == ("http", "https://weather.example/{city}", {"X-Key": "…"})
    assert (made["metadata"], made["meta_data"], made["parameters"]) == ({"a": 1}, {"a": 1}, CITY)
    assert await client.get(f"/v1/skills/{made['guid']}") == made

    page = await client.get("/v1/skills/?skip=0&limit=100")
    assert (page["total_count"], page["has_next_page"]) == (6, False)
    built_in = {skill["name"]: skill["type"] for skill in page["data"] if skill["guid"] != made["guid"]}
    assert built_in == {name: name for name in IDS}

    changed = await client.ok("PUT", f"/v1/skills/{made['guid']}", {"url": "https://weather.example/in/{city}"})
    assert (changed["url"], changed["method"], changed["headers"]) == (
        "https://weather.example/in/{city}",
        "GET",
        {"X-Key": "…"},
    )
    assert (await client.ok("DELETE", f"/v1/skills/{made['guid']}"))["guid"] == made["guid"]
    assert (await client.call("GET", f"/v1/skills/{made['guid']}"))[0] == 404
    assert (await client.call("DELETE", f"/v1/skills/{SEARCH}"))[0] == 403


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "x"}, "type"),
        ({"name": "x", "type": "magic"}, "type"),
        ({"name": "x", "type": "http", "method": "GET"}, "url"),
        ({"name": "x", "type": "http", "method": "FETCH", "url": "https://a.example/"}, "method"),
        ({"name": "x", "type": "mcp", "url": "http://10.0.0.1/mcp", "tool": "add"}, "url"),
        ({"name": "two words", "type": "http", "method": "GET", "url": "https://a.example/"}, "name"),
    ],
)
async def test_what_would_not_work_is_a_422_that_names_the_field(client, body, field):
    status, answer = await client.call("POST", "/v1/skills/", body)
    assert status == 422
    assert field in answer["message"]


async def test_an_action_runs_with_its_skills(engine, client):
    app = await client.post("/v1/apps/", {"name": "App"})
    action = await client.post("/v1/actions/create", {"name": "Ask", "prompt": "{{q}}", "app": app["guid"]})
    of_action = f"/v1/actions/{action['guid']}/skills"
    async with tool_site() as site, mcp_server() as shop:
        weather = await client.post("/v1/skills/", {**WEATHER, "url": f"{site.url}/in/{{city}}"})
        plus = await client.post("/v1/skills/", {"name": "plus", "type": "mcp", "url": shop, "tool": "add"})
        pet = {"type": "openapi", "url": f"{site.url}/openapi.json", "operation_id": "getPet"}
        found = await client.post("/v1/skills/discover", {**pet, "operation_id": None})
        pets = await client.post("/v1/skills/", {"name": "pets", **pet})
        assert [offered["name"] for offered in found] == ["getPet", "putPet"]
        assert await client.ok("PUT", of_action, {"skills": [each["guid"] for each in (weather, plus, pets)]}) is True
        assert [skill["name"] for skill in await client.get(of_action)] == ["weather", "plus", "pets"]

        calls = (
            Call("c1", "weather", '{"city": "Bern"}'),
            Call("c2", "plus", '{"a": 2, "b": 3}'),
            Call("c3", "pets", '{"pet": 7, "verbose": true}'),
        )
        engine.upstream.plays(calling(*calls), Answer())
        run = await client.post("/v1/actions/", {"action": action["guid"], "input": {"q": "Well?"}})
    told = engine.upstream.asked[-1].results
    assert run["msg"] == "Hello from the model."
    assert ("/in/Bern" in told["c1"], told["c2"], "/v2/pets/7" in told["c3"]) == (True, "5", True)
    assert [heard.query for heard in site.heard if "pets" in heard.path] == [[("verbose", "true")]]
    assert (await client.call("PUT", of_action, {"skills": [run["data_guid"]]}))[0] == 404


async def test_an_answer_that_does_not_fit_its_format_is_a_422_and_its_text_is_kept(engine, client):
    app = await client.post("/v1/apps/", {"name": "App"})
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
    config = {
        "responseFormat": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
        "toolRounds": 3,
    }
    asked = {"name": "Ask", "prompt": "{{q}}", "app": app["guid"], "model_config": config}
    action = await client.post("/v1/actions/create", asked)
    assert action["model_config"]["toolRounds"] == 3
    engine.upstream.plays(Answer(pieces=("no",)), Answer(pieces=('{"age": "old"}',)))
    status, answer = await client.call("POST", "/v1/actions/", {"action": action["guid"], "input": {"q": "Well?"}})
    assert status == 422
    assert "$.age: 'old' is not of type 'integer'" in answer["message"]
    (point,) = (await client.get(f"/v1/actions/{action['guid']}/data"))["data"]
    assert point["output"] == '{"age": "old"}'

"""Tools as a workspace keeps them: what each kind needs, what is secret about them, and what is refused."""

import asyncio
import logging
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from libs.contracts import actions, ids, tools
from libs.contracts.faults import Code, Fault
from libs.contracts.tools import Http, Mcp, OpenApi, SearchContext
from services.runner.providers import presets
from services.runner.tools.builtin.names import IDS
from services.runner.tools.openapi import Document
from tests.services.runner.toolcases import CITY, DOCUMENT, make, tool_site
from tests.support.mcp_server import mcp_server

pytestmark = pytest.mark.asyncio

WEATHER = Http("GET", "https://weather.example/{city}")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shop():
    async with mcp_server() as url:
        yield url


async def fault(call) -> Fault:
    with pytest.raises(Fault) as caught:
        await call
    return caught.value


def get(caller, id) -> tools.GetTool:
    return tools.GetTool(caller.workspace_id, id)


async def test_a_tool_is_kept_changed_and_deleted(caller, other):
    made = await make(caller, "weather", WEATHER, description="Tells it.", parameters=CITY, metadata={"a": 1})
    assert (made.name, made.kind, made.parameters, made.metadata) == ("weather", WEATHER, CITY, {"a": 1})
    assert await caller.bus.call(tools.GET, get(caller, made.id)) == made
    assert (await fault(caller.bus.call(tools.GET, get(other, made.id)))).code is Code.NOT_FOUND

    asked = tools.UpdateTool(caller.workspace_id, made.id, description="Knows it.", timeout=5)
    changed = await caller.bus.call(tools.UPDATE, asked)
    assert (changed.description, changed.timeout, changed.kind) == ("Knows it.", 5, WEATHER)

    assert await caller.bus.call(tools.DELETE, get(caller, made.id)) == changed
    assert (await fault(caller.bus.call(tools.GET, get(caller, made.id)))).code is Code.NOT_FOUND


async def test_every_workspace_may_search_its_contexts(caller):
    page = await caller.bus.call(tools.PAGE, tools.PageTools(caller.workspace_id))
    assert {(tool.id, tool.name, tool.workspace_id) for tool in page.items} == {
        (id, name, None) for name, id in IDS.items()
    }
    assert (await fault(caller.bus.call(tools.DELETE, get(caller, IDS["search_context"])))).code is Code.FORBIDDEN
    assert (await make(caller, "handbook", SearchContext(limit=3))).parameters["required"] == ["query"]


async def test_headers_are_sealed_and_never_shown(caller, databases):
    headers = {"Authorization": "Bearer very-secret", "X-Team": "blue"}
    made = await make(caller, "weather", WEATHER, parameters=CITY, headers=headers)
    assert made.headers == {"Authorization": "…", "X-Team": "…"}
    connection = await asyncpg.connect(databases.dsn("runner"))
    row = await connection.fetchrow("SELECT * FROM tools WHERE id = $1", made.id)
    await connection.close()
    assert row is not None
    assert not any(b"very-secret" in str(value).encode() for value in row.values())

    kept = {"Authorization": "…", "X-Team": "red"}
    changed = await caller.bus.call(tools.UPDATE, tools.UpdateTool(caller.workspace_id, made.id, headers=kept))
    assert changed.headers == {"Authorization": "…", "X-Team": "…"}


async def test_the_same_id_makes_one_tool(caller):
    id = ids.new()
    first = await make(caller, "weather", WEATHER, parameters=CITY, id=id)
    assert await make(caller, "other", WEATHER, parameters=CITY, id=id) == first


async def test_an_operation_brings_its_parameters(caller):
    async with tool_site() as served:
        source = OpenApi("getPet", f"{served.url}/openapi.json")
        made = await make(caller, "get_pet", source)
        found = await caller.bus.call(tools.DISCOVER, tools.Discover(caller.workspace_id, source))
    assert made.description == "One pet."
    assert isinstance(made.kind, OpenApi)
    assert made.kind.request == Http("GET", f"{served.url}/v2/pets/{{pet}}", {"pet": "path", "verbose": "query"})
    assert made.parameters["properties"].keys() == {"pet", "verbose"}
    assert made.parameters["required"] == ["pet"]
    assert [offered.name for offered in found] == ["getPet", "putPet"], "a form is nothing that a model can fill"


async def test_a_document_in_yaml_says_the_same(caller):
    async with tool_site() as served:
        found = [
            await caller.bus.call(
                tools.DISCOVER, tools.Discover(caller.workspace_id, OpenApi("", f"{served.url}/openapi.{kind}"))
            )
            for kind in ("json", "yaml")
        ]
        keys = await make(caller, "a", OpenApi("a", f"{served.url}/yaml/keys"))
    assert found[0] == found[1]
    assert isinstance(keys.kind, OpenApi)
    assert keys.kind.request == Http("GET", f"{served.url}/v2/a"), "numbers as keys, and dates, are what JSON would say"


async def test_what_a_document_says_is_kept_as_postgres_takes_it(caller):
    async with tool_site() as served:
        made = await make(caller, "a", OpenApi("a", f"{served.url}/yaml/nul"))
    assert (made.description, list(made.parameters["properties"])) == ("A\ufffd.", ["b\ufffd"])
    assert isinstance(made.kind, OpenApi)
    assert made.kind.request == Http("GET", f"{served.url}/v2/a", {"b\ufffd": "query"})


async def test_what_is_no_document_in_yaml_is_refused(caller):
    async with tool_site() as served:
        names = ["text", "broken", "tag", "bomb", "deep", "long"]
        making = [make(caller, "a", OpenApi("a", f"{served.url}/yaml/{name}")) for name in names]
        refused = await asyncio.gather(*map(fault, making))
    assert [(each.code, each.field) for each in refused] == [(Code.INVALID, "document")] * len(names)


@pytest.mark.parametrize("odd", [True, -1, 1.5, "text", {"a": 1}])
async def test_lists_of_a_document_that_are_none_are_empty(caller, odd):
    operation = {"get": {"operationId": "a", "parameters": odd, "servers": odd}, "parameters": odd}
    document = {"openapi": "3.1.0", "servers": odd, "paths": {"/a": operation}}
    made = await make(caller, "a", OpenApi("a", document=document, server="https://pets.example"))
    assert made.parameters["properties"] == {}
    [offered] = await caller.bus.call(
        tools.DISCOVER, tools.Discover(caller.workspace_id, OpenApi("", document=document))
    )
    assert offered.name == "a"


async def test_what_an_operation_refers_to_comes_along(caller):
    made = await make(caller, "put_pet", OpenApi("putPet", document=DOCUMENT, server="https://pets.example"))
    (name, pet), *_ = made.parameters["$defs"].items()
    assert made.parameters["properties"]["body"] == {"$ref": f"#/$defs/{name}"}
    assert pet["properties"]["friends"]["items"] == {"$ref": f"#/$defs/{name}"}
    assert pet["properties"]["name"] == {"type": ["string", "null"]}
    assert made.kind == OpenApi(
        "putPet",
        server="https://pets.example",
        request=Http("PUT", "https://pets.example/pets/{pet}", {"pet": "path", "body": "body"}),
    )


async def test_an_mcp_servers_tools_are_listed_and_bring_their_parameters(caller, shop):
    found = await caller.bus.call(tools.DISCOVER, tools.Discover(caller.workspace_id, Mcp(shop, "")))
    assert {offered.name for offered in found} == {"add", "fail", "sleep", "whoami"}
    made = await make(caller, "plus", Mcp(shop, "add"))
    assert (made.description, made.parameters["required"]) == ("Adds two numbers.", ["a", "b"])
    unknown = await fault(make(caller, "minus", Mcp(shop, "subtract")))
    assert (unknown.code, unknown.field) == (Code.INVALID, "tool")
    assert "add" in unknown.message


@pytest.mark.parametrize(
    ("kind", "more", "field"),
    [
        (WEATHER, {"name": "two words"}, "name"),
        (WEATHER, {"name": "required"}, "name"),
        (WEATHER, {"parameters": {"type": "object"}}, "url"),
        (WEATHER, {"parameters": {"type": "string"}}, "parameters"),
        (WEATHER, {"parameters": {"type": "object", "properties": {"city": {"type": 7}}}}, "parameters"),
        (WEATHER, {"timeout": 0}, "timeout"),
        (WEATHER, {"timeout": 301}, "timeout"),
        (WEATHER, {"headers": {"Host": "other.example"}}, "headers"),
        (WEATHER, {"headers": {"X-A": "a\nb"}}, "headers"),
        (Http("GET", "https://{city}.example/"), {}, "url"),
        (Http("GET", "https://user:word@weather.example/"), {}, "url"),
        (Http("GET", "ftp://weather.example/"), {}, "url"),
        (Http("GET", "http://10.0.0.1/{city}"), {}, "url"),
        (Http("GET", "https://169.254.169.254/{city}"), {}, "url"),
        (Http("GET", "https://weather.example/", {"country": "query"}), {}, "url"),
        (OpenApi("getPet"), {}, "document"),
        (OpenApi("getPet", document={"swagger": "2.0"}), {}, "document"),
        (OpenApi("getDog", document=DOCUMENT), {}, "document"),
        (OpenApi("getPet", document=DOCUMENT), {}, "document"),
        (OpenApi("getPet", document=DOCUMENT, server="http://10.0.0.1"), {}, "url"),
        (OpenApi("getPet", "http://192.168.0.1/openapi.json"), {}, "url"),
        (Mcp("http://[::ffff:10.0.0.1]/mcp", "add"), {}, "url"),
        (SearchContext(limit=0), {}, "limit"),
    ],
)
async def test_what_would_not_work_is_refused(caller, kind, more, field):
    refused = await fault(make(caller, **{"name": "weather", "kind": kind, "parameters": CITY, **more}))
    assert (refused.code, refused.field) == (Code.INVALID, field)


async def test_an_action_names_its_tools(caller, other):
    weather = await make(caller, "weather", WEATHER, parameters=CITY)
    action = await caller.action(tool_ids=[weather.id, IDS["search_context"]])
    assert action.tool_ids == [weather.id, IDS["search_context"]]
    of_action = tools.PageTools(caller.workspace_id, action.id)
    page = await caller.bus.call(tools.PAGE, of_action)
    assert [tool.name for tool in page.items] == ["weather", "search_context"]
    assert (await fault(other.action(tool_ids=[weather.id]))).code is Code.NOT_FOUND

    same = await make(caller, "weather", WEATHER, parameters=CITY)
    twice = actions.UpdateAction(caller.workspace_id, action.id, tool_ids=[weather.id, same.id])
    assert (await fault(caller.bus.call(actions.UPDATE, twice))).field == "tools"

    await caller.bus.call(tools.DELETE, get(caller, weather.id))
    assert [tool.name for tool in (await caller.bus.call(tools.PAGE, of_action)).items] == ["search_context"]
    renamed = actions.UpdateAction(caller.workspace_id, action.id, name="Ask again")
    assert (await caller.bus.call(actions.UPDATE, renamed)).name == "Ask again"


async def test_a_schema_that_is_nested_without_end_is_refused():
    schema: dict = {"type": "string"}
    for _ in range(600):
        schema = {"type": "array", "items": schema}
    deep = {"requestBody": {"content": {"application/json": {"schema": schema}}}, "operationId": "a"}
    document = {"openapi": "3.1.0", "servers": [{"url": "https://a.example"}], "paths": {"/a": {"put": deep}}}
    assert Document(document).offered() == []
    with pytest.raises(Fault, match="nested"):
        Document(document).offer(Document(document).operation("a"))


def posting(schemas: dict[str, Any], *bodies: Any) -> dict[str, Any]:
    """A document with an operation for each of these bodies."""
    paths = {
        f"/{place}": {
            "post": {"operationId": f"op{place}", "requestBody": {"content": {"application/json": {"schema": body}}}}
        }
        for place, body in enumerate(bodies)
    }
    servers = [{"url": "https://a.example"}]
    return {"openapi": "3.0.3", "servers": servers, "paths": paths, "components": {"schemas": schemas}}


def reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


async def test_what_3_0_says_in_its_own_words_is_json_schema_in_a_tool(caller):
    price = {"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 9, "exclusiveMaximum": False}
    column = {"type": "object", "properties": {"nullable": {"type": "boolean"}, "price": price}}
    made = await make(caller, "post", OpenApi("op0", document=posting({"Column": column}, reference("Column"))))
    [moved] = made.parameters["$defs"].values()
    assert moved["properties"] == {
        "nullable": {"type": "boolean"},
        "price": {"type": "number", "exclusiveMinimum": 0, "maximum": 9},
    }


async def test_an_operation_that_reaches_too_much_is_none_to_be_offered(caller):
    """Schemas that all refer to each other, as those of large documents do."""
    schemas = {
        f"S{n}": {"description": "x" * 900, "properties": {"a": reference(f"S{n + 1}"), "b": reference("S0")}}
        for n in range(300)
    }
    document = posting(schemas, reference("S0"), {"type": "string"})
    found = await caller.bus.call(tools.DISCOVER, tools.Discover(caller.workspace_id, OpenApi("", document=document)))
    assert [offered.name for offered in found] == ["op1"]
    refused = await fault(make(caller, "post", OpenApi("op0", document=document)))
    assert (refused.code, refused.field) == (Code.INVALID, "document")
    assert "262,144 bytes" in refused.message


async def test_what_is_too_much_to_be_listed_can_be_named(caller):
    document = posting({"Long": {"description": "x" * 250_000}}, *[reference("Long")] * 70)
    refused = await fault(
        caller.bus.call(tools.DISCOVER, tools.Discover(caller.workspace_id, OpenApi("", document=document)))
    )
    assert (refused.code, refused.field) == (Code.TOO_LARGE, "document")
    assert (await make(caller, "post", OpenApi("op69", document=document))).name == "post"


async def test_a_document_that_refers_to_others_is_refused():
    outside = {"openapi": "3.1.0", "paths": {"/a": {"$ref": "https://elsewhere.example/a.json"}}}
    with pytest.raises(Fault) as caught:
        Document(outside, "https://pets.example/").offered()
    assert "outside" in caught.value.message


async def test_an_mcp_servers_address_is_not_logged(caller, shop, caplog):
    caplog.set_level(logging.INFO)
    asked = tools.Discover(caller.workspace_id, Mcp(f"{shop}?key=in-the-address", ""))
    assert await caller.bus.call(tools.DISCOVER, asked)
    assert "in-the-address" not in caplog.text


CALLING = (
    "gpt-4o-mini claude-sonnet-4-5 gemini-2.5-flash llama3.1:8b qwen2.5:7b mistral-large-latest openai/gpt-oss-20b own"
)
TOOLLESS = "SmolLM2-135M-Instruct gemma3:4b google/gemma-2-9b-it llama2 gpt-3.5-turbo-instruct o1-mini claude-2.1 phi-3"


@pytest.mark.parametrize("path", ["weather", "big", "picture", "status/404", "status/500"])
async def test_what_speaks_no_mcp_is_said_in_one_line(caller, path):
    async with tool_site() as served:
        source = Mcp(f"{served.url}/{path}", "")
        refused = await fault(caller.bus.call(tools.DISCOVER, tools.Discover(caller.workspace_id, source)))
    assert (refused.code, refused.message.startswith("the MCP server "), "\n" in refused.message) == (
        Code.UPSTREAM,
        True,
        False,
    )


@pytest.mark.parametrize(("llms", "calls"), [(CALLING, True), (TOOLLESS, False)])
async def test_some_models_are_known_to_call_no_tools(llms, calls):
    assert {llm: presets.calls_tools(llm) for llm in llms.split()} == dict.fromkeys(llms.split(), calls)

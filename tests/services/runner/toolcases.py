"""A site of tools, and tools that ask it: what the tests of tools share."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import yaml
from aiohttp import web
from msgspec import Struct

from libs.contracts import tools
from tests.services.runner.conftest import Caller
from tests.support.web import site

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
SECONDS = {"type": "object", "properties": {"seconds": {"type": "number"}}, "required": ["seconds"]}


class Heard(Struct):
    """What the site was asked."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes


class Site:
    """`/sleep/{seconds}` takes its time, `/status/{code}` fails, `/big` says much, all else says what it heard.

    `most` is how many requests it ever had open together.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.heard: list[Heard] = []
        self.open = self.most = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.heard.append(
            Heard(
                request.method,
                request.raw_path.partition("?")[0],
                list(request.query.items()),
                {name.lower(): value for name, value in request.headers.items()},
                await request.read(),
            )
        )
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            return await self._answer(request)
        finally:
            self.open -= 1

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        match request.path.split("/"):
            case ["", "sleep", seconds]:
                await asyncio.sleep(float(seconds))
                return web.Response(text=f"slept {seconds}")
            case ["", "status", code]:
                return web.Response(status=int(code), text="out of order")
            case ["", "big"]:
                return web.Response(text="x" * 200_000)
            case ["", "picture"]:
                return web.Response(body=b"\x89PNG\0\0", content_type="image/png")
            case ["", "secret"]:
                return web.Response(text=f"you sent {request.headers.get('X-Key')}")
            case ["", "credential"]:
                return web.Response(text=f"{request.headers['Authorization'].partition(' ')[2]} is no key of ours")
            case ["", "openapi.json"]:
                return web.json_response(DOCUMENT)
            case ["", "openapi.yaml"]:
                return web.Response(text=yaml.safe_dump(DOCUMENT), content_type="application/yaml")
            case ["", "yaml", name]:
                return web.Response(text=YAML[name], content_type="text/plain")
            case _:
                return web.json_response({"weather": "sunny", "path": request.path})


@asynccontextmanager
async def tool_site() -> AsyncGenerator[Site]:
    served = Site("")

    async def answer(request: web.Request) -> web.StreamResponse:
        return await served.answer(request)

    async with site(answer) as url:
        served.url = url
        yield served


async def make(caller: Caller, name: str, kind: tools.Kind, **more: Any) -> tools.Tool:
    return await caller.bus.call(tools.CREATE, tools.CreateTool(caller.workspace_id, name, kind, **more))


async def http(caller: Caller, name: str, url: str, **more: Any) -> UUID:
    """A tool that is a GET of this address."""
    return (await make(caller, name, tools.Http(more.pop("method", "GET"), url), **more)).id


def arguments(**said: Any) -> str:
    return json.dumps(said)


_PATHS = "paths: {/a: {get: {operationId: a, responses: {200: {description: ok}}}}}"
# What stands at /yaml/{name}: documents, and what only begins like one.
YAML = {
    "keys": f"openapi: 3.1.0\ninfo: {{version: 2026-03-01}}\nservers: [{{url: /v2}}]\n{_PATHS}",
    "nul": json.dumps(
        {
            "openapi": "3.1.0",
            "servers": [{"url": "/v2"}],
            "paths": {
                "/a": {"get": {"operationId": "a", "summary": "A\0.", "parameters": [{"name": "b\0", "in": "query"}]}}
            },
        }
    ),
    "text": "just a text",
    "broken": "openapi: 3.1.0\n\tpaths: {",
    "tag": "openapi: !!python/object/apply:os.system [true]",
    "bomb": "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdef", "bcdefg", strict=True)),
    "deep": "a: " + "[" * 5_000,
    "long": "a: " + "x" * (1024 * 1024),
}
DOCUMENT = {
    "openapi": "3.0.3",
    "info": {"title": "Pets", "version": "1"},
    "servers": [{"url": "/v2"}],
    "paths": {
        "/pets/{pet}": {
            "parameters": [{"$ref": "#/components/parameters/pet"}],
            "get": {
                "operationId": "getPet",
                "summary": "One pet.",
                "parameters": [
                    {"name": "verbose", "in": "query", "schema": {"type": "boolean"}, "description": "More words."},
                    {"name": "session", "in": "cookie", "schema": {"type": "string"}},
                ],
            },
            "put": {
                "operationId": "putPet",
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}},
                },
            },
        },
        "/photos": {"post": {"requestBody": {"content": {"multipart/form-data": {"schema": {"type": "object"}}}}}},
    },
    "components": {
        "parameters": {"pet": {"name": "pet", "in": "path", "required": True, "schema": {"type": "integer"}}},
        "schemas": {
            "Pet": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "nullable": True},
                    "friends": {"type": "array", "items": {"$ref": "#/components/schemas/Pet"}},
                },
                "required": ["name"],
            }
        },
    },
}

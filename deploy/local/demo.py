"""The demo: a workspace's app whose action answers from a context made of this project's own page about itself.

Owner: deploy.local. It is made through the gateway's public API, as anybody would make it, and only what is missing is
made: an interrupted start is completed by the next one, and what the person changed stays as it is.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from deploy.local.children import ROOT
from deploy.local.trouble import Trouble

# Chosen so that the built-in model's answer at temperature 0 contains the phrase; tests/deploy asks it.
QUESTION = "What is Polyvox?"
PHRASE = "a self-hosted engine for LLM apps"

PLAIN_QUESTION = "What is the capital of France?"

APP = "Demo"
CONTEXT = "The pages of Polyvox"
ACTION = "Ask the pages"
GROUNDED = "Answer the question in one short sentence, with the words of the passages."
PLAIN_ACTION = "Ask the model"
PLAIN = "You are a helpful assistant."
# Small models do not know when to stop: an answer is one paragraph.
PARAMETERS = {"temperature": 0, "seed": 1, "maxResponseLength": 80, "stopSequence": ["\n\n"]}
# A small model quotes a short page well and makes nothing of tables and code.
PAGES = ("docs/in-short.md",)

_INDEX_SECONDS = 60


@dataclass(frozen=True)
class Demo:
    """Ids as the API spells them."""

    workspace: str
    app: str
    action: str
    plain_action: str
    context: str
    model: str


class Api:
    """The gateway's public API with the workspace's key. Raises Trouble for an answer that is no success."""

    def __init__(self, session: aiohttp.ClientSession, url: str, key: str) -> None:
        self._session, self._url = session, url
        self._headers = {"Authorization": f"Bearer {key}"}

    async def call(self, method: str, path: str, body: object = None) -> Any:
        async with self._session.request(method, self._url + path, json=body, headers=self._headers) as response:
            if response.status == 401:
                raise Trouble(
                    "The gateway refuses the key in credentials.json: take `api_key` out there for a new one."
                )
            if response.status != 200:
                raise Trouble(f"The demo can't be made: {method} {path} → {response.status} {await response.text()}")
            return await response.json()


async def ensure(url: str, key: str, say: Callable[[str], None]) -> Demo:
    """Returns once the demo is there and its pages can be found."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        api = Api(session, url, key)
        workspace = await api.call("GET", "/v1/workspace/current")
        app = await _app(api)
        context = await _context(api)
        await _pages(api, context, say)
        grounded = await _action(api, app, ACTION, GROUNDED)
        await _ground(api, grounded, context)
        plain = await _action(api, app, PLAIN_ACTION, PLAIN)
        model = await api.call("GET", "/v1/models/default")
        return Demo(workspace["guid"], app, grounded, plain, context, model["guid"])


async def _app(api: Api) -> str:
    found = _named(await api.call("GET", "/v1/apps"), APP)
    made = found or await api.call("POST", "/v1/apps", {"name": APP, "description": "Made by the first start."})
    return made["guid"]


async def _context(api: Api) -> str:
    found = _named(await api.call("GET", "/v1/context"), CONTEXT)
    body = {"name": CONTEXT, "description": "What this project says of itself.", "type": "Custom"}
    return (found or await api.call("POST", "/v1/context", body))["guid"]


async def _action(api: Api, app: str, name: str, system_message: str) -> str:
    found = _named(await api.call("GET", f"/v1/apps/{app}/actions"), name)
    body = {
        "name": name,
        "app": app,
        "action_type": "prompt",
        "prompt": "{{question}}",
        "system_message": system_message,
        "description": "Made by the first start.",
        "model_config": PARAMETERS,
    }
    return (found or await api.call("POST", "/v1/actions/create", body))["guid"]


async def _ground(api: Api, action: str, context: str) -> None:
    if not await api.call("GET", f"/v1/actions/{action}/context"):
        await api.call("PUT", f"/v1/actions/{action}/context", {"context": [context]})


async def _pages(api: Api, context: str, say: Callable[[str], None]) -> None:
    """Adds the pages that are missing, and waits until all can be found."""
    there = {document["name"] for document in await _documents(api, context)}
    for page in PAGES:
        if page not in there:
            say(f"  reading {page} into the demo's context")
            body = {"name": page, "text": (ROOT / page).read_text(), "meta_data": {"page": page}}
            await api.call("POST", f"/v1/context/{context}/documents", body)
    await _indexed(api, context, say)


async def _indexed(api: Api, context: str, say: Callable[[str], None]) -> None:
    deadline = asyncio.get_running_loop().time() + _INDEX_SECONDS
    while unfinished := [document for document in await _documents(api, context) if document["status"] != "SUCCESS"]:
        if asyncio.get_running_loop().time() > deadline or all(each["status"] == "FAILURE" for each in unfinished):
            for document in unfinished:
                say(f"  {document['name']} is not in the demo's context: {document['error'] or document['status']}")
            return
        await asyncio.sleep(0.1)


async def _documents(api: Api, context: str) -> list[dict[str, Any]]:
    return (await api.call("GET", f"/v1/context/{context}/documents"))["data"]


def _named(listed: list[dict[str, Any]], name: str) -> dict[str, Any] | None:
    return next((item for item in listed if item["name"] == name), None)

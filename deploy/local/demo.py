"""The demo: a workspace's app whose action answers from a context made of this project's own page about itself.

Owner: deploy.local. It is made through the gateway's public API, as anybody would make it, and only what is missing is
made: an interrupted start is completed by the next one, and what the person changed stays as it is.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct, field

from deploy.local.children import ROOT
from deploy.local.credentials import Credentials
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


class Api:
    """The gateway's public API with the workspace's key. Raises Trouble for an answer that is no success."""

    def __init__(self, session: aiohttp.ClientSession, url: str, key: str) -> None:
        self._session, self._url = session, url
        self._headers = {"Authorization": f"Bearer {key}"}

    async def call(self, method: str, path: str, body: object = None) -> Any:
        status, answer = await self._ask(method, path, body)
        if status == 401:
            raise Trouble("The gateway refuses the key in credentials.json: take `api_key` out there for a new one.")
        if status != 200:
            raise Trouble(f"The demo can't be made: {method} {path} → {status} {answer}")
        return answer

    async def there_is(self, path: str) -> bool:
        status, _ = await self._ask("GET", path)
        return status == 200

    async def _ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        try:
            async with self._session.request(method, self._url + path, json=body, headers=self._headers) as response:
                return response.status, await response.json()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Trouble(f"The demo can't be made: the gateway does not answer {method} {path} ({error!r}).") from None


async def ensure(url: str, known: Credentials, say: Callable[[str], None]) -> Credentials:
    """The credentials with the ids of what there is now. Returns once the demo's pages can be found."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        api = Api(session, url, known.api_key)
        workspace = await api.call("GET", "/v1/workspace/current")
        app = await _ensure(api, known.app, _App(APP, "Made by the first start."))
        context = await _ensure(api, known.context, _Context(CONTEXT, "What this project says of itself.", "Custom"))
        await _pages(api, context, say)
        action = await _ensure(api, known.action, _Action(ACTION, app, system_message=GROUNDED))
        if not await api.call("GET", f"/v1/actions/{action}/context"):
            await api.call("PUT", f"/v1/actions/{action}/context", {"context": [context]})
        plain_action = await _ensure(api, known.plain_action, _Action(PLAIN_ACTION, app, system_message=PLAIN))
    return msgspec.structs.replace(
        known, workspace_id=workspace["guid"], app=app, context=context, action=action, plain_action=plain_action
    )


async def default_model(url: str, known: Credentials) -> str:
    async with aiohttp.ClientSession() as session:
        return (await Api(session, url, known.api_key).call("GET", "/v1/models/default"))["guid"]


class _App(Struct):
    one, all, make = "/v1/apps/{}", "/v1/apps", "/v1/apps"
    name: str
    description: str


class _Context(Struct):
    one, all, make = "/v1/context/{}", "/v1/context", "/v1/context"
    name: str
    description: str
    type: str


class _Action(Struct):
    one, all, make = "/v1/actions/{}", "/v1/actions", "/v1/actions/create"
    name: str
    app: str
    system_message: str
    prompt: str = "{{question}}"
    action_type: str = "prompt"
    model_config: dict[str, Any] = field(default_factory=lambda: dict(PARAMETERS))


async def _ensure(api: Api, id: str, wanted: _App | _Context | _Action) -> str:
    """The id of what is there already: known from an earlier start, or by its name where that one was interrupted."""
    if id and await api.there_is(wanted.one.format(id)):
        return id
    answer = await api.call("GET", wanted.all)
    listed = answer if isinstance(answer, list) else answer["data"]
    found = next((item for item in listed if item["name"] == wanted.name), None)
    return (found or await api.call("POST", wanted.make, msgspec.to_builtins(wanted)))["guid"]


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

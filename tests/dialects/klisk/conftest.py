"""A gateway whose workspace has two agents, and what its clients read."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest_asyncio
from msgspec.structs import replace

from libs.contracts import actions, feed, ids, runs, sessions
from libs.contracts.faults import not_found
from libs.contracts.paging import Page
from tests.dialects.klu import examples
from tests.services.gateway.holder import Holder, holding
from tests.services.gateway.peers import Door
from tests.support.chromium import Browser, browser

HELPER = replace(examples.action, name="Helper")
POET = replace(examples.action, id=ids.new(), name="Poet")
DONE = feed.Done("stop", runs.Usage(), 9.0)


def found(asked: actions.FindAction) -> actions.Action | Exception:
    agents = {"": HELPER, HELPER.name: HELPER, POET.name: POET}
    return agents.get(asked.name) or not_found("action", asked.name)


def continued(asked: sessions.ContinueFrom) -> sessions.Session | Exception:
    return examples.session if asked.run_id == examples.RUN else not_found("run", asked.run_id)


@pytest_asyncio.fixture(loop_scope="session")
async def agents(door: Door) -> AsyncIterator[Door]:
    await door.peers.answer(actions.FIND, found)
    await door.peers.answer(actions.PAGE, Page([HELPER, POET], 2))
    await door.peers.answer(sessions.CONTINUE, continued)
    await door.peers.answer(runs.START, examples.started)
    door.peers.asked.clear()
    yield door


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    async with browser() as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def holder(agents: Door) -> Holder:
    return await holding(agents)


def events(text: str) -> list[Any]:
    """What a client that knows nothing but `data:` lines reads of a stream."""
    data = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    return [each if each == "[DONE]" else json.loads(each) for each in data]


async def until(stream: aiohttp.ClientResponse, wanted: bytes) -> None:
    while wanted not in await stream.content.readline():
        pass

"""Who may come in without a key of a workspace: a gateway of its own for each way to set it."""

import json
from uuid import UUID

import pytest

from libs.contracts import actions, runs
from services.gateway.directory import endings, store
from tests.dialects.klisk.conftest import HELPER
from tests.dialects.klu import examples
from tests.services.gateway.peers import Door, new_key, opened
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio

PLAIN = {"message": "Why?", "stream": False}


async def asked_of(door: Door, key: str | None) -> tuple[int, UUID | None]:
    """The status, and whose workspace it was."""
    await door.peers.answer(actions.FIND, HELPER)
    await door.peers.answer(runs.START, examples.started)
    door.peers.asked.clear()
    answer = await door.call("POST", "/api/chat", PLAIN, key=key)
    return answer.status, door.peers.asked[-1].workspace_id if answer.status == 200 else None


async def test_a_key_of_the_environment_opens_the_oldest_workspace_and_no_other_voice(nats_url, databases):
    settings = {"klisk_api_key": "sk-one, sk-two", "klisk_chat_key": "sk-chat", "klisk_widget_key": "sk-widget"}
    async with opened(nats_url, databases, **settings) as door:
        later = await new_key(door.service, "Later")
        for key in ("sk-one", "sk-two", "sk-chat", "sk-widget"):
            assert await asked_of(door, key) == (200, door.workspace_id)
            assert (await door.call("GET", "/v1/workspaces", key=key)).status == 401
        assert await asked_of(door, later.secret) == (200, later.key.workspace_id)
        for key in (None, "sk-one,", "sk"):
            assert (await asked_of(door, key))[0] == 401
        async with door.session.ws_connect(f"{door.url}/ws/chat?key=sk-widget") as socket:
            await socket.send_str("{}")
            assert json.loads(await socket.receive_str())["type"] == "error"


async def test_where_it_is_open_no_key_is_the_oldest_workspace_and_a_wrong_one_is_none(nats_url, databases):
    async with opened(nats_url, databases, klisk_auth="open") as door:
        later = await new_key(door.service, "Open later")
        assert await asked_of(door, None) == (200, door.workspace_id)
        assert await asked_of(door, later.secret) == (200, later.key.workspace_id)
        assert (await asked_of(door, "wrong"))[0] == 401
        assert (await door.call("GET", "/api/info", key=None)).json["auth_required"] is False


async def test_where_the_oldest_workspace_is_deleted_a_guest_is_the_next_ones(nats_url, databases):
    async with opened(nats_url, databases, klisk_auth="open") as door:
        await new_key(door.service, "The next one")
        assert await asked_of(door, None) == (200, door.workspace_id)
        async with door.service.database.transaction() as connection:
            oldest = await store.workspace(connection, door.workspace_id)
            assert oldest is not None
            await endings.delete(connection, oldest)
            next_oldest = await store.oldest_workspace(connection)

        async def moved() -> bool:
            return await asked_of(door, None) == (200, next_oldest)

        await eventually(moved)

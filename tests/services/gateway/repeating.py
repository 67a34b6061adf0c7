"""Requests with an Idempotency-Key, to be sent again."""

import asyncio

from libs.contracts import apps
from tests.dialects.klu import examples
from tests.services.gateway.peers import Door, Reply


async def post(door: Door, path: str, body, key: str, **options) -> Reply:
    return await door.call("POST", path, body, headers={"Idempotency-Key": key}, **options)


async def create_app(door: Door, key: str, **body) -> Reply:
    return await post(door, "/v1/apps", {"name": "Support"} | body, key)


async def until_answered(door: Door, key: str) -> Reply:
    async with asyncio.timeout(60):
        while (answer := await create_app(door, key)).status == 409:  # noqa: ASYNC110 — it can only be asked for
            await asyncio.sleep(0.01)
    return answer


async def serve_apps(door: Door) -> None:
    """Each app that is made is another one."""
    await door.peers.answer(
        apps.CREATE,
        lambda asked: apps.App(asked.id, door.workspace_id, asked.name, "", "", None, None, examples.NOW, examples.NOW),
    )
    door.peers.asked.clear()


async def gate(door: Door) -> tuple[asyncio.Event, asyncio.Event]:
    """Set when an app is being made, and to be set for it to be done."""
    came, go = asyncio.Event(), asyncio.Event()

    async def slowly(asked):
        came.set()
        await go.wait()
        return examples.app

    await door.peers.answer(apps.CREATE, slowly)
    door.peers.asked.clear()
    return came, go

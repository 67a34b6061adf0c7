"""feedback as in production, beside a runner whose runs it is given on."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from uuid import UUID

import pytest_asyncio

from libs.bus.bus import Bus
from libs.contracts import actions, apps, ids, runs
from libs.runtime.service import Service
from tests.support import calling
from tests.support.provider import provider
from tests.support.services import running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def service(nats_url, databases) -> AsyncGenerator[Service]:
    async with running("feedback", nats_url, databases) as service:
        yield service


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bus(nats_url, databases) -> AsyncGenerator[Bus]:
    async with calling.gateway(nats_url, databases) as bus:
        yield bus


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def run_of(nats_url, databases, bus) -> AsyncGenerator[Callable[[UUID], Awaitable[UUID]]]:
    """`await run_of(workspace_id)` is the id of a finished run of that workspace."""
    async with provider() as upstream:
        model = {"default_model_url": upstream.openai_url, "default_model_name": "m"}
        async with running("runner", nats_url, databases, **model):
            yield lambda workspace_id: _run(bus, workspace_id)


async def _run(bus: Bus, workspace_id: UUID) -> UUID:
    app = await bus.call(apps.CREATE, apps.CreateApp(workspace_id, "app"))
    action = await bus.call(actions.CREATE, actions.CreateAction(workspace_id, app.id, "action", "{{question}}"))
    start = runs.StartRun(workspace_id, ids.new(), action.id, {"question": "Why?"}, "klu")
    return (await bus.call(runs.START, start)).id

"""feedback as in production, a caller as the gateway is one, and facts stated as their owners would."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest_asyncio

from libs.blobs import Blobs
from libs.bus.bus import Bus
from libs.contracts import ids, runs
from libs.contracts.faults import not_found
from libs.contracts.subjects import Event, Stated
from libs.runtime.service import Service
from tests.support.services import blobs_folder, running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def service(nats_url, databases) -> AsyncIterator[Service]:
    async with running("feedback", nats_url, databases) as service:
        yield service


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bus(nats_url, databases) -> AsyncIterator[Bus]:
    """The gateway's: it may ask everybody."""
    blobs = Blobs.open(f"file://{blobs_folder(databases.url)}")
    bus = await Bus.connect(nats_url, owner="gateway", instance="gateway-test", blobs=blobs)
    yield bus
    await bus.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def known(nats_url, databases) -> AsyncIterator[Callable[[UUID], UUID]]:
    """`known(workspace_id)` is the id of a run that the workspace has: what the runner answers when it is asked."""
    there: dict[UUID, UUID] = {}

    async def get(request: runs.GetRun) -> runs.Run:
        if there.get(request.run_id) != request.workspace_id:
            raise not_found("run", request.run_id)
        return _run(request)

    def known(workspace_id: UUID) -> UUID:
        id = ids.new()
        there[id] = workspace_id
        return id

    blobs = Blobs.open(f"file://{blobs_folder(databases.url)}")
    runner = await Bus.connect(nats_url, owner="runner", instance="runner-test", blobs=blobs)
    await runner.serve(runs.GET, get)
    yield known
    await runner.close()


@pytest_asyncio.fixture(loop_scope="session")
async def state(bus) -> Callable[..., Awaitable[UUID]]:
    async def state(event: Event, *facts: object, id: UUID | None = None) -> UUID:
        """Publish facts as the relay of their owner does; the id of the last."""
        batch = [Stated(id or ids.new(), datetime.now(UTC), msgspec.Raw(event.pack(fact))) for fact in facts]
        await bus.state(event.name, batch, str(ids.new()))
        return batch[-1].id

    return state


def _run(request: runs.GetRun) -> runs.Run:
    return runs.Run(
        id=request.run_id,
        workspace_id=request.workspace_id,
        action_id=ids.new(),
        action_version=1,
        status=runs.Status.SUCCEEDED,
        mode=runs.Mode.BLOCKING,
        voice="klu",
        inputs="",
        prompt=[],
        output="",
        thinking="",
        model="m",
        provider="p",
        usage=runs.Usage(),
        finish_reason="stop",
        sources=[],
        metadata={},
        created_at=datetime.now(UTC),
    )

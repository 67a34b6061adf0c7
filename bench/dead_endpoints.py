"""How long deliveries to healthy endpoints take while a thousand others never answer: `python -m bench.dead_endpoints`.

From an event's statement to its arrival at the receiver, in one dispatcher, without the dead ones and with them. They
have failed before, and each has deliveries waiting; the receiver behind them hangs.
"""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from libs.bus.bus import Bus
from libs.contracts import endpoints, feedback, ids
from libs.runtime.service import Service
from tests.support import calling, servers
from tests.support.receiver import Received, Receiver, receiver
from tests.support.services import running

DEAD, WAITING, EVENTS, EVERY = 1000, 5, 300, 0.02


async def main() -> None:
    with servers.nats_server() as nats_url, servers.postgres_server() as admin:
        async with servers.database(admin) as databases, receiver() as healthy, receiver() as dead:
            dead.answer(delay=60)
            async with (
                running("webhook_dispatcher", nats_url, databases, stop_seconds=1.0) as service,
                calling.gateway(nats_url, databases) as bus,
            ):
                workspace = ids.new()
                await bus.call(endpoints.CREATE, endpoints.CreateEndpoint(workspace, healthy.url, ["*"]))
                await _p99(bus, workspace, healthy)
                without = await _p99(bus, workspace, healthy)
                await _die(service, bus, dead)
                beside = await _p99(bus, workspace, healthy)
                print(f"p99 without {without:.1f} ms, beside {DEAD} dead ones {beside:.1f} ms: {beside / without:.2f}×")


async def _die(service: Service, bus: Bus, dead: Receiver) -> None:
    """A thousand endpoints in ten workspaces, which have failed before, with deliveries that wait."""
    workspaces = [ids.new() for _ in range(10)]
    for place in range(DEAD):
        await bus.call(endpoints.CREATE, endpoints.CreateEndpoint(workspaces[place % 10], dead.url, ["*"]))
    await service.database.execute(
        "UPDATE endpoints SET failing_since = now() WHERE workspace_id = ANY($1)", workspaces
    )
    for workspace in workspaces:
        await calling.state(bus, feedback.CREATED, *[_rated(workspace) for _ in range(WAITING)])
    while await service.database.fetchval("SELECT count(*) FROM queue") < DEAD * WAITING:
        await asyncio.sleep(0.5)
    await dead.wait(50, timeout=60)


async def _p99(bus: Bus, workspace: UUID, healthy: Receiver) -> float:
    """In milliseconds."""
    stated: dict[UUID, datetime] = {}
    healthy.received.clear()
    for _ in range(EVENTS):
        at = datetime.now(UTC)
        stated[await calling.state(bus, feedback.CREATED, _rated(workspace))] = at
        await asyncio.sleep(EVERY)
    taken = sorted(_milliseconds(got, stated) for got in await healthy.wait(EVENTS, timeout=60))
    print(f"p50 {taken[len(taken) // 2]:.1f} ms, most {taken[-1]:.1f} ms")
    return taken[int(len(taken) * 0.99)]


def _milliseconds(got: Received, stated: dict[UUID, datetime]) -> float:
    event = ids.parse(msgspec.json.decode(got.body)["event_id"])
    assert event is not None
    return (got.at - stated[event]).total_seconds() * 1000


def _rated(workspace_id: UUID) -> feedback.FeedbackCreated:
    return feedback.FeedbackCreated(workspace_id, ids.new(), ids.new(), "rating", 2)


if __name__ == "__main__":
    asyncio.run(main())

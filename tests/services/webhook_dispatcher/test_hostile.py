"""Hostile targets at every door of the dispatcher, made, changed, tested and delivered to: nobody is connected to."""

import asyncio
from collections.abc import AsyncGenerator
from uuid import UUID

import pytest
import pytest_asyncio

from libs.contracts import deliveries, endpoints, feedback, ids
from libs.contracts.faults import Code, Fault
from libs.runtime.service import Service
from tests.libs.egress.conftest import listener as listener
from tests.libs.egress.test_hostile import INSIDE, MALFORMED, urls
from tests.services.webhook_dispatcher.conftest import rated
from tests.support.calling import state
from tests.support.services import running

pytestmark = pytest.mark.asyncio

PUBLIC = "https://receiver.example/hook"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def public_only(nats_url, databases) -> AsyncGenerator[Service]:
    """A dispatcher whose operator allows nothing inside."""
    async with running("webhook_dispatcher", nats_url, databases, egress_allow_cidrs="") as service:
        yield service


@pytest.fixture
def targets(listener) -> list[str]:
    sendable = [url for url in MALFORMED if url.isprintable() or url.isascii()]
    assert len({*INSIDE, *sendable}) >= 200
    return [*urls(listener), *sendable]


async def refused(asked) -> tuple[Code, str | None]:
    with pytest.raises(Fault) as fault:
        await asked
    return fault.value.code, fault.value.field


async def point(service: Service, endpoint_id: UUID, url: str) -> None:
    """The address was fine when it was given."""
    await service.database.execute("UPDATE endpoints SET url = $2 WHERE id = $1", endpoint_id, clean(url))


def clean(url: str) -> str:
    return url.replace("\x00", "\\0")


async def test_they_are_refused_where_an_endpoint_is_made_changed_or_tested(bus, public_only, listener, targets):
    workspace = ids.new()
    endpoint = (await bus.call(endpoints.CREATE, endpoints.CreateEndpoint(workspace, PUBLIC, ["*"]))).endpoint
    for url in targets:
        made = bus.call(endpoints.CREATE, endpoints.CreateEndpoint(workspace, url, ["*"]))
        assert await refused(made) == (Code.INVALID, "url"), url
        changed = bus.call(endpoints.UPDATE, endpoints.UpdateEndpoint(workspace, endpoint.id, url=url))
        assert await refused(changed) == (Code.INVALID, "url"), url
        await point(public_only, endpoint.id, url)
        tested = bus.call(deliveries.TEST, deliveries.SendTest(workspace, endpoint.id))
        assert await refused(tested) == (Code.INVALID, "url"), url
    assert listener.connections == 0


async def test_they_are_not_connected_to_by_a_delivery(bus, public_only, listener, targets):
    workspace = ids.new()
    for url in targets:
        made = await bus.call(endpoints.CREATE, endpoints.CreateEndpoint(workspace, PUBLIC, ["feedback.*"]))
        await point(public_only, made.endpoint.id, url)
    await state(bus, feedback.CREATED, rated(workspace))
    async with asyncio.timeout(60):
        while True:
            errors = await attempts(public_only, workspace)
            if len(errors) >= len(targets):
                break
            await asyncio.sleep(0.05)
    assert all(error and status is None for status, error in errors)
    assert listener.connections == 0


async def attempts(service: Service, workspace: UUID) -> list[tuple[int | None, str | None]]:
    rows = await service.database.fetch(
        "SELECT status_code, error FROM attempts JOIN deliveries ON id = delivery_id WHERE workspace_id = $1", workspace
    )
    return [(row["status_code"], row["error"]) for row in rows]

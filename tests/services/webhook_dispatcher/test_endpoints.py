"""Endpoints over the bus: made, listed, removed, and nobody else's."""

import asyncio
import base64
from typing import Any

import pytest

from libs.contracts import deliveries, endpoints, ids
from libs.contracts.faults import Code, Fault

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("dispatcher")]

URL = "http://127.0.0.1:9/hook"


async def test_an_endpoint_is_made_listed_and_removed(bus, subscribe):
    workspace = ids.new()
    first = (await subscribe(workspace, URL + "/1", "feedback.created", "generation.*")).endpoint
    second = (await subscribe(workspace, URL + "/2", "*")).endpoint
    assert (first.url, first.events, first.status) == (URL + "/1", ["feedback.created", "generation.*"], "active")

    page = await bus.call(endpoints.PAGE, endpoints.PageEndpoints(workspace))
    assert (page.items, page.total) == ([first, second], 2)

    assert await bus.call(endpoints.DELETE, endpoints.GetEndpoint(workspace, first.id)) == first
    page = await bus.call(endpoints.PAGE, endpoints.PageEndpoints(workspace))
    assert (page.items, page.total) == ([second], 1)


async def test_no_more_are_made_than_are_allowed_however_many_are_asked_for_at_once(bus):
    workspace, named = ids.new(), ids.new()

    async def make(**more) -> Any:
        return await bus.call(endpoints.CREATE, endpoints.CreateEndpoint(workspace, URL, ["*"], at_most=3, **more))

    made = await make(id=named)
    answers = await asyncio.gather(*(make() for _ in range(10)), return_exceptions=True)
    refused = [(answer.code, answer.message) for answer in answers if isinstance(answer, Fault)]
    assert len(refused) == 8
    assert set(refused) == {
        (Code.FORBIDDEN, "The plan of this workspace allows 3 webhooks: delete one, or change the plan.")
    }
    assert await make(id=named) == made, "what was made is answered with again"
    await bus.call(endpoints.DELETE, endpoints.GetEndpoint(workspace, named))
    await make()


async def test_the_secret_is_shown_once_and_sealed_at_rest(bus, subscribe, dispatcher):
    workspace = ids.new()
    made = await subscribe(workspace, URL)
    key = base64.b64decode(made.secret.removeprefix("whsec_"), validate=True)
    assert len(key) >= 24
    kept = await dispatcher.database.fetchval("SELECT secret FROM endpoints WHERE id = $1", made.endpoint.id)
    assert made.secret.encode() not in kept
    assert key not in kept
    page = await bus.call(endpoints.PAGE, endpoints.PageEndpoints(workspace))
    assert made.secret not in repr(page)


async def test_secrets_differ(subscribe):
    workspace = ids.new()
    assert (await subscribe(workspace, URL)).secret != (await subscribe(workspace, URL)).secret


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "ftp://example.com/hook",
        "http://example.com\x00/",
        "https://user:password@example.com/hook",
        "https://10.0.0.1/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:10.0.0.1]/hook",
        "https://" + "a" * 3000 + ".example.com/",
    ],
)
async def test_a_url_that_may_not_be_requested_is_refused_by_name(subscribe, url):
    with pytest.raises(Fault) as refused:
        await subscribe(ids.new(), url)
    assert (refused.value.code, refused.value.field) == (Code.INVALID, "url")


@pytest.mark.parametrize("events", [["generation"], ["no.such"], ["**"]])
async def test_an_event_that_does_not_exist_is_refused_by_name(subscribe, events):
    with pytest.raises(Fault) as refused:
        await subscribe(ids.new(), URL, *events)
    assert (refused.value.code, refused.value.field) == (Code.INVALID, "events")


async def test_a_description_is_short(bus, subscribe):
    workspace = ids.new()
    known = (await subscribe(workspace, URL)).endpoint
    long = "x" * 501
    for rpc, asked in (
        (endpoints.CREATE, endpoints.CreateEndpoint(workspace, URL, ["*"], long)),
        (endpoints.UPDATE, endpoints.UpdateEndpoint(workspace, known.id, description=long)),
    ):
        with pytest.raises(Fault) as refused:
            await bus.call(rpc, asked)
        assert (refused.value.code, refused.value.field) == (Code.INVALID, "description")


async def test_another_workspace_does_not_find_an_endpoint(bus, subscribe):
    theirs = (await subscribe(ids.new(), URL)).endpoint
    stranger = ids.new()
    for rpc, request in (
        (endpoints.UPDATE, endpoints.UpdateEndpoint(stranger, theirs.id, status="disabled")),
        (endpoints.ROTATE, endpoints.GetEndpoint(stranger, theirs.id)),
        (endpoints.DELETE, endpoints.GetEndpoint(stranger, theirs.id)),
        (deliveries.TEST, endpoints.GetEndpoint(stranger, theirs.id)),
        (deliveries.LATEST, deliveries.LatestDeliveries(stranger, theirs.id)),
    ):
        with pytest.raises(Fault) as refused:
            await bus.call(rpc, request)
        assert refused.value.code is Code.NOT_FOUND
    assert (await bus.call(endpoints.PAGE, endpoints.PageEndpoints(stranger))).items == []
    assert (await bus.call(endpoints.PAGE, endpoints.PageEndpoints(theirs.workspace_id))).items == [theirs]

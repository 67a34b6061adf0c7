"""KlairoAI's webhooks: its ids, its envelope, its statuses, over a real door."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from msgspec import structs

from libs.contracts import deliveries, endpoints, ids
from libs.contracts.faults import Code, Fault, not_found
from libs.contracts.paging import Page
from services.gateway.plans import plans
from services.gateway.plans.store import Own, Put
from tests.services.gateway.peers import new_key

pytestmark = pytest.mark.asyncio

NOW = datetime(2026, 3, 11, 11, 22, tzinfo=UTC)
ENDPOINT = UUID("01a20000-0000-7000-8000-000000000011")
WEBHOOK = ids.crockford("wh", ENDPOINT)
ROOTS = ["/api/webhooks", "/v1/webhooks", "/klairo/api/webhooks", "/klairo/v1/webhooks"]
URL = "https://myapp.example/webhook/klairo"

endpoint = endpoints.Endpoint(ENDPOINT, ids.new(), URL, ["generation.*"], "Mine", "active", NOW)
delivery = deliveries.Delivery(
    id=ids.new(),
    endpoint_id=ENDPOINT,
    event_id=ids.new(),
    event="test.ping",
    status="pending",
    attempts=[deliveries.Attempt(1, NOW, 12.5, 500, "The receiver answered 500.", "no")],
    created_at=NOW,
    next_attempt_at=NOW,
)


@pytest.mark.parametrize("root", ROOTS)
async def test_a_webhook_is_registered_and_its_secret_shown(door, root):
    await door.peers.answer(endpoints.CREATE, endpoints.CreatedEndpoint(endpoint, "whsec_abc"))
    body = {"url": URL, "events": ["generation.*"], "description": "Mine"}
    answer = await door.call("POST", root, body)
    assert answer.status == 201
    assert answer.json == {
        "id": WEBHOOK,
        "url": URL,
        "events": ["generation.*"],
        "description": "Mine",
        "status": "active",
        "created_at": "2026-03-11T11:22:00Z",
        "secret": "whsec_abc",
    }
    assert door.peers.asked[-1] == endpoints.CreateEndpoint(door.workspace_id, URL, ["generation.*"], "Mine")


async def test_a_plan_allows_so_many_webhooks(door):
    await door.peers.answer(endpoints.CREATE, Fault(Code.FORBIDDEN, "The plan of this workspace allows 9 webhooks."))
    key = await new_key(door.service, "Nine webhooks")
    async with door.service.database.transaction() as connection:
        put = Put(await plans.find(connection, "growth"), Own(webhooks=9))
        await plans.change(connection, key.key.workspace_id, put)
    answer = await door.call("POST", "/api/webhooks", {"url": URL, "events": ["*"]}, key=key.secret)
    assert (answer.status, answer.json["error"]["code"]) == (403, "FORBIDDEN")
    assert door.peers.asked[-1].at_most == 9


async def test_webhooks_are_listed_without_secrets(door):
    await door.peers.answer(endpoints.PAGE, Page([endpoint], 7))
    answer = await door.call("GET", "/api/webhooks?limit=500&offset=2")
    assert answer.json["data"][0]["id"] == WEBHOOK
    assert "secret" not in answer.text
    assert {name: answer.json[name] for name in ("total", "limit", "offset")} == {"total": 7, "limit": 100, "offset": 2}


@pytest.mark.parametrize("spelled", [WEBHOOK, str(ENDPOINT)])
async def test_a_webhook_is_removed_by_either_spelling(door, spelled):
    await door.peers.answer(endpoints.DELETE, endpoint)
    answer = await door.call("DELETE", f"/api/webhooks/{spelled}")
    assert (answer.status, answer.text) == (204, "")
    assert door.peers.asked[-1] == endpoints.GetEndpoint(door.workspace_id, ENDPOINT)


@pytest.mark.parametrize(("query", "body"), [(f"&id={WEBHOOK}", None), ("", {"id": WEBHOOK})])
async def test_a_changed_secret_is_shown_once(door, query, body):
    await door.peers.answer(endpoints.ROTATE, endpoints.CreatedEndpoint(endpoint, "whsec_new"))
    answer = await door.call("POST", f"/api/webhooks?action=rotate{query}", body)
    assert (answer.status, answer.json["id"], answer.json["secret"]) == (200, WEBHOOK, "whsec_new")
    assert door.peers.asked[-1] == endpoints.GetEndpoint(door.workspace_id, ENDPOINT)


async def test_an_asymmetric_webhook_shows_its_public_key(door):
    signs = structs.replace(endpoint, public_key="whpk_abc")
    await door.peers.answer(endpoints.CREATE, endpoints.CreatedEndpoint(signs, "whsec_abc"))
    answer = await door.call("POST", "/api/webhooks", {"url": URL, "events": ["*"], "asymmetric": True})
    assert answer.json["public_key"] == "whpk_abc"
    assert door.peers.asked[-1] == endpoints.CreateEndpoint(door.workspace_id, URL, ["*"], asymmetric=True)


async def test_a_webhook_that_wants_its_deliveries_in_order_says_so(door):
    in_order = structs.replace(endpoint, ordered=True)
    await door.peers.answer(endpoints.CREATE, endpoints.CreatedEndpoint(in_order, "whsec_abc"))
    answer = await door.call("POST", "/api/webhooks", {"url": URL, "events": ["*"], "ordered": True})
    assert answer.json["ordered"] is True
    assert door.peers.asked[-1] == endpoints.CreateEndpoint(door.workspace_id, URL, ["*"], ordered=True)
    await door.peers.answer(endpoints.UPDATE, endpoint)
    answer = await door.call("PATCH", f"/v1/webhooks/{WEBHOOK}", {"ordered": False})
    assert "ordered" not in answer.json
    assert door.peers.asked[-1] == endpoints.UpdateEndpoint(door.workspace_id, ENDPOINT, ordered=False)


async def test_a_webhook_is_changed_where_the_body_says_so(door):
    await door.peers.answer(endpoints.UPDATE, endpoint)
    answer = await door.call("PATCH", f"/v1/webhooks/{WEBHOOK}", {"events": ["*"], "status": "disabled"})
    assert (answer.status, answer.json["id"]) == (200, WEBHOOK)
    wanted = endpoints.UpdateEndpoint(door.workspace_id, ENDPOINT, events=["*"], status="disabled")
    assert door.peers.asked[-1] == wanted
    assert (await door.call("PATCH", f"/v1/webhooks/{WEBHOOK}", {"status": "asleep"})).status == 400


async def test_null_empties_a_description_and_is_nothing_else_of_a_webhook_s(door):
    await door.peers.answer(endpoints.UPDATE, endpoint)
    assert (await door.call("PATCH", f"/v1/webhooks/{WEBHOOK}", {"description": None})).status == 200
    assert door.peers.asked[-1] == endpoints.UpdateEndpoint(door.workspace_id, ENDPOINT, description="")
    for field in ("url", "events", "status", "ordered"):
        refused = await door.call("PATCH", f"/v1/webhooks/{WEBHOOK}", {field: None})
        assert (refused.status, field in refused.json["error"]["message"]) == (400, True)


@pytest.mark.parametrize(
    ("query", "body"), [(f"&id={WEBHOOK}", None), ("", {"id": WEBHOOK}), ("", {"webhook_id": str(ENDPOINT)})]
)
async def test_a_test_delivery_names_its_webhook_in_the_query_or_the_body(door, query, body):
    await door.peers.answer(deliveries.TEST, delivery)
    answer = await door.call("POST", f"/api/webhooks?action=test{query}", body)
    assert answer.status == 200
    assert answer.json["event_id"] == ids.crockford("evt", delivery.event_id)
    assert door.peers.asked[-1] == deliveries.SendTest(door.workspace_id, ENDPOINT)


async def test_deliveries_are_told_with_every_attempt(door):
    await door.peers.answer(deliveries.LATEST, [delivery])
    answer = await door.call("GET", f"/v1/webhooks?action=deliveries&id={WEBHOOK}")
    assert answer.json["data"][0] == {
        "id": str(delivery.id),
        "webhook_id": WEBHOOK,
        "event": "test.ping",
        "event_id": ids.crockford("evt", delivery.event_id),
        "status": "pending",
        "attempts": [
            {
                "number": 1,
                "at": "2026-03-11T11:22:00Z",
                "status_code": 500,
                "latency_ms": 12.5,
                "error": "The receiver answered 500.",
                "response_excerpt": "no",
            }
        ],
        "created_at": "2026-03-11T11:22:00Z",
        "next_attempt_at": "2026-03-11T11:22:00Z",
        "redelivery_of": None,
    }


@pytest.mark.parametrize("in_query", [True, False])
async def test_a_delivery_is_made_again_by_its_id(door, in_query):
    query, body = (f"&id={delivery.id}", None) if in_query else ("", {"id": str(delivery.id)})
    again = structs.replace(delivery, id=ids.new(), redelivery_of=delivery.id)
    await door.peers.answer(deliveries.REDELIVER, again)
    answer = await door.call("POST", f"/v1/webhooks?action=redeliver{query}", body)
    assert (answer.status, answer.json["id"]) == (200, str(again.id))
    assert answer.json["redelivery_of"] == str(delivery.id)
    assert door.peers.asked[-1] == deliveries.Redeliver(door.workspace_id, delivery.id)
    assert (await door.call("POST", "/v1/webhooks?action=redeliver")).status == 400


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code", "said"),
    [
        ("POST", "/api/webhooks", {"url": URL, "events": []}, 400, "BAD_REQUEST", "events"),
        ("POST", "/api/webhooks", {"url": URL, "events": "all"}, 400, "BAD_REQUEST", "events"),
        ("POST", "/api/webhooks", {"events": ["*"]}, 400, "BAD_REQUEST", "url"),
        ("POST", "/api/webhooks", {"url": URL, "events": ["*"], "secret": "x"}, 400, "BAD_REQUEST", "secret"),
        ("POST", "/api/webhooks", b"{", 400, "BAD_REQUEST", "JSON"),
        ("POST", "/api/webhooks?action=test", None, 400, "BAD_REQUEST", "id"),
        ("POST", "/api/webhooks?action=dance", {}, 400, "BAD_REQUEST", "action"),
        ("GET", "/api/webhooks?action=deliveries", None, 400, "BAD_REQUEST", "id"),
        ("GET", "/api/webhooks?limit=many", None, 400, "BAD_REQUEST", "limit"),
        ("DELETE", "/api/webhooks/nothing", None, 404, "NOT_FOUND", "nothing"),
        ("PUT", "/api/webhooks", {}, 405, "BAD_REQUEST", "method"),
        ("GET", "/api/gadgets", None, 404, "NOT_FOUND", ""),
    ],
)
async def test_errors_come_in_the_envelope_and_name_what_is_wrong(door, method, path, body, status, code, said):
    answer = await door.call(method, path, body)
    assert answer.status == status
    assert answer.json["error"].keys() == {"code", "message", "status"}
    assert (answer.json["error"]["code"], answer.json["error"]["status"]) == (code, status)
    assert said in answer.json["error"]["message"]


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (Fault(Code.INVALID, "This address is not public.", field="url"), 400, "BAD_REQUEST"),
        (not_found("webhook", ENDPOINT), 404, "NOT_FOUND"),
        (Fault(Code.CONFLICT, "There are enough."), 409, "CONFLICT"),
        (Fault(Code.FORBIDDEN, "Not on this plan."), 403, "FORBIDDEN"),
        (Fault(Code.RATE_LIMITED, "Slowly.", retry_after=3), 429, "RATE_LIMIT_EXCEEDED"),
        (Fault(Code.TIMEOUT, "Too late.", retry_after=1), 503, "SERVICE_UNAVAILABLE"),
        (RuntimeError("a secret"), 500, "INTERNAL_ERROR"),
    ],
)
async def test_a_fault_of_the_dispatcher_is_told_in_the_nine_codes(door, fault, status, code):
    await door.peers.answer(endpoints.CREATE, lambda _: fault)
    answer = await door.call("POST", "/api/webhooks", {"url": URL, "events": ["*"]})
    error = answer.json["error"]
    assert (answer.status, error["code"], error["status"]) == (status, code, status)
    assert "a secret" not in answer.text
    retry = getattr(fault, "retry_after", None)
    assert error.get("retry_after") == retry
    assert answer.headers.get("Retry-After") == (None if retry is None else str(retry))


@pytest.mark.parametrize("spelled", [WEBHOOK, str(ENDPOINT)])
async def test_what_is_not_there_is_told_as_this_voice_spells_it(door, spelled):
    await door.peers.answer(endpoints.DELETE, lambda _: not_found("webhook", ENDPOINT))
    answer = await door.call("DELETE", f"/api/webhooks/{spelled}")
    assert answer.json["error"]["message"] == f"There is no webhook {WEBHOOK} in this workspace."


async def test_it_needs_a_key(door):
    answer = await door.call("GET", "/api/webhooks", key=None)
    assert (answer.status, answer.json["error"]["code"]) == (401, "UNAUTHORIZED")
